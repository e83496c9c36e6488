import ts from 'typescript-api'
import { lineOf, packageSources, parse, resolveRelative, type SourceFile } from './source-file.ts'

/** A module: its tree, the declarations it makes, and the names it takes from or passes on to others. */
interface Module {
  readonly path: string
  readonly declarations: ReadonlyMap<string, readonly Declaration[]>
  /** Local name → where it comes from, for `import { a as b } from './x.ts'`. */
  readonly imports: ReadonlyMap<string, Origin>
  /** Exported name → what it stands for. */
  readonly exports: ReadonlyMap<string, Origin>
}

/** A name, in this module (`from` undefined) or in another. */
interface Origin {
  readonly name: string
  readonly from: string | undefined
}

interface Declaration {
  readonly node: ts.Node
  /** The node that the TSDoc comment precedes: for a variable, its statement. */
  readonly documented: ts.Node
}

/**
 * What a user can reach from a package's entry points (the files directly in `src`) and finds without a
 * TSDoc comment: exported declarations, and members of exported interfaces, classes and type literals,
 * those of the interfaces they extend too. Exempt, because another comment speaks for them: constructors
 * (the class), members marked `override` (the base class), index and call signatures, overloads after the first.
 */
export function undocumentedExports(files: readonly SourceFile[]): string[] {
  const modules = new Map(packageSources(files).map((file) => [file.path, readModule(file)]))
  const missing = new Set<string>()
  const seen = new Set<Declaration>()

  for (const module of modules.values()) {
    if (!/^packages\/[^/]+\/src\/[^/]+$/.test(module.path)) continue
    for (const name of module.exports.keys()) inspect(module, name, module.exports)
  }
  return [...missing].toSorted()

  function inspect(module: Module, name: string, names: ReadonlyMap<string, Origin>): void {
    const { declarations, home } = find(module, name, names)
    if (declarations.some((declaration) => seen.has(declaration))) return
    for (const declaration of declarations) seen.add(declaration)
    requireComment(
      declarations.map(({ documented }) => documented),
      name,
    )
    for (const { node } of declarations) {
      inspectMembers(node, name)
      for (const parent of parentsOf(node)) inspect(home, parent, home.imports)
    }
  }

  /** Follows re-exports and imports to where a name is declared; nothing for a name from another package. */
  function find(
    module: Module,
    name: string,
    names: ReadonlyMap<string, Origin>,
  ): { declarations: readonly Declaration[]; home: Module } {
    const origin = names.get(name) ?? { name, from: undefined }
    if (origin.from !== undefined) {
      const next = modules.get(resolveRelative(module.path, origin.from) ?? '')
      return next ? find(next, origin.name, next.exports) : { declarations: [], home: module }
    }
    const declarations = module.declarations.get(origin.name)
    if (declarations) return { declarations, home: module }
    return module.imports.has(origin.name) && names !== module.imports
      ? find(module, origin.name, module.imports)
      : { declarations: [], home: module }
  }

  function inspectMembers(node: ts.Node, owner: string): void {
    const groups = new Map<string, ts.Node[]>()
    for (const member of publicMembers(node)) {
      const name = `${owner}.${member.name?.getText() ?? '?'}`
      groups.set(name, [...(groups.get(name) ?? []), member])
      if (ts.isPropertySignature(member) && member.type) inspectMembers(member.type, name)
    }
    for (const [name, members] of groups) requireComment(members, name)
  }

  function requireComment(nodes: readonly ts.Node[], name: string): void {
    const [first] = nodes
    if (first === undefined || nodes.some(hasComment)) return
    missing.add(`${first.getSourceFile().fileName}:${lineOf(first)} ${name} has no TSDoc comment`)
  }
}

/** The named public members of an interface, class or type literal; of each part of a union or intersection. */
function publicMembers(node: ts.Node): (ts.TypeElement | ts.ClassElement)[] {
  if (ts.isTypeAliasDeclaration(node) || ts.isParenthesizedTypeNode(node)) return publicMembers(node.type)
  if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node)) return node.types.flatMap(publicMembers)
  if (ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node)) return node.members.filter((member) => member.name)
  if (ts.isClassDeclaration(node)) return node.members.filter(isPublicMember)
  return []
}

function isPublicMember(member: ts.ClassElement): boolean {
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return false
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Override
  return (ts.getCombinedModifierFlags(member) & hidden) === 0
}

/** The names that an interface extends. */
function parentsOf(node: ts.Node): string[] {
  if (!ts.isInterfaceDeclaration(node)) return []
  return (node.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => type.expression.getText()))
}

function hasComment(node: ts.Node): boolean {
  return ts
    .getJSDocCommentsAndTags(node)
    .some((comment) => ts.isJSDoc(comment) && (ts.getTextOfJSDocComment(comment.comment) ?? '').trim() !== '')
}

function readModule(file: SourceFile): Module {
  const declarations = new Map<string, Declaration[]>()
  const imports = new Map<string, Origin>()
  const exports = new Map<string, Origin>()

  for (const statement of parse(file).statements) {
    if (ts.isImportDeclaration(statement)) readImport(statement)
    else if (ts.isExportDeclaration(statement)) readExport(statement)
    else readDeclaration(statement)
  }
  return { path: file.path, declarations, imports, exports }

  function readImport(statement: ts.ImportDeclaration): void {
    const bindings = statement.importClause?.namedBindings
    if (!bindings || !ts.isNamedImports(bindings)) return
    for (const { name, propertyName } of bindings.elements) {
      imports.set(name.text, { name: (propertyName ?? name).text, from: specifierText(statement.moduleSpecifier) })
    }
  }

  function readExport(statement: ts.ExportDeclaration): void {
    if (!statement.exportClause || !ts.isNamedExports(statement.exportClause)) return
    for (const { name, propertyName } of statement.exportClause.elements) {
      exports.set(name.text, { name: (propertyName ?? name).text, from: specifierText(statement.moduleSpecifier) })
    }
  }

  function readDeclaration(statement: ts.Statement): void {
    for (const { name, declaration } of declarationsIn(statement)) {
      declarations.set(name, [...(declarations.get(name) ?? []), declaration])
      if (!isExported(statement)) continue
      exports.set(isDefault(statement) ? 'default' : name, { name, from: undefined })
    }
  }
}

function declarationsIn(statement: ts.Statement): { name: string; declaration: Declaration }[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((node) => ({
      name: node.name.getText(),
      declaration: { node, documented: statement },
    }))
  }
  if (ts.isExportAssignment(statement)) {
    return [{ name: 'default', declaration: { node: statement, documented: statement } }]
  }
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement)
  if (!named) return []
  return [{ name: statement.name?.text ?? 'default', declaration: { node: statement, documented: statement } }]
}

function isExported(statement: ts.Statement): boolean {
  return ts.isExportAssignment(statement) || hasModifier(statement, ts.SyntaxKind.ExportKeyword)
}

function isDefault(statement: ts.Statement): boolean {
  return hasModifier(statement, ts.SyntaxKind.DefaultKeyword)
}

function hasModifier(statement: ts.Statement, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(statement) && (statement.modifiers ?? []).some((modifier) => modifier.kind === kind)
}

function specifierText(node: ts.Expression | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined
}
