import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { parse } from 'yaml'

/** Where the document is, as an application finds it. */
export const documentPath: string = createRequire(import.meta.url).resolve('@jwks-auth/core/jwks-auth.openapi.yaml')

interface Operation {
  readonly responses: Readonly<Record<string, ResponseObject>>
}
interface ResponseObject {
  readonly $ref?: string
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, unknown>>
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly responses: Readonly<Record<string, ResponseObject>> }
}

const document = parse(readFileSync(documentPath, 'utf8')) as Document
const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema(document, 'openapi')

const methods = new Set(['get', 'post', 'put', 'patch', 'delete'])

/** Every operation of the document: `GET /providers`. */
export const operations: readonly string[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.keys(item)
    .filter((method) => methods.has(method))
    .map((method) => `${method.toUpperCase()} ${path}`),
)

/** The statuses that the document has for an operation. */
export function statusesOf(operation: string): readonly number[] {
  return Object.keys(operationNamed(operation).responses).map(Number)
}

function operationNamed(operation: string): Operation {
  const [method = '', path = ''] = operation.split(' ')
  const found = document.paths[path]?.[method.toLowerCase()]
  if (found === undefined) throw new Error(`the document has no ${operation}`)
  return found
}

/** What is wrong with a response by the document; an empty list where it conforms. */
export async function violations(operation: string, response: Response): Promise<readonly string[]> {
  const [method = '', path = ''] = operation.split(' ')
  const { status } = response
  const described = operationNamed(operation).responses[status]
  if (described === undefined) return [`${operation} has no response ${status}`]
  const shared = described.$ref?.split('/').at(-1)
  const { headers = {}, content } = shared === undefined ? described : (document.components.responses[shared] ?? {})
  const missing = Object.keys(headers).filter((name) => !response.headers.has(name))
  const problems = missing.map((name) => `${operation} ${status} has no header ${name}`)
  if (content === undefined) return problems
  const type = response.headers.get('content-type')?.split(';')[0] ?? ''
  if (content[type] === undefined) return [...problems, `${operation} ${status} has the type ${type}`]
  if (type !== 'application/json') return problems
  const escaped = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1')
  const place =
    shared === undefined
      ? `/paths/${escaped(path)}/${method.toLowerCase()}/responses/${status}`
      : `/components/responses/${shared}`
  const validate = ajv.compile({ $ref: `openapi#${encodeURI(place)}/content/application~1json/schema` })
  if (validate(await response.clone().json())) return problems
  return [
    ...problems,
    ...(validate.errors ?? []).map(({ instancePath, message }) => `${operation} ${status} ${instancePath} ${message}`),
  ]
}
