import { fileURLToPath } from 'node:url'
import ts from 'typescript-api'

const root = fileURLToPath(new URL('../..', import.meta.url))

const { config } = ts.readConfigFile(`${root}tsconfig.base.json`, ts.sys.readFile)
const { options } = ts.convertCompilerOptionsFromJson(
  {
    ...config.compilerOptions,
    noEmit: true,
    composite: false,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    // As every application of NestJS has it.
    experimentalDecorators: true,
    // An example shows what there is; not all of it is used.
    noUnusedLocals: false,
    // The application's own setting.
    skipLibCheck: true,
    typeRoots: [`${root}node_modules/@types`],
  },
  root,
)

/**
 * Compiles modules against the packages as they are built, each as if it lay in `folder`, whose dependencies it sees;
 * says of each what is wrong with it.
 */
export function compileExamples(modules: readonly string[], folder = 'test'): readonly (readonly string[])[] {
  const paths = modules.map((_, index) => `${root}${folder}/example-${index}.ts`)
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => paths.includes(name) || fileExists(name)
  host.getSourceFile = (name, ...rest) => {
    const code = modules[paths.indexOf(name)]
    return code === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, code, ts.ScriptTarget.ES2023)
  }
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram(paths, options, host))
  return paths.map((path) =>
    diagnostics
      .filter(({ file }) => file === undefined || file.fileName === path)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  )
}
