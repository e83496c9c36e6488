import ts from 'typescript-api'
import { lineOf, packageSources, parse, type SourceFile } from './source-file.ts'

/**
 * Comparisons with the built-in class `Promise`. They fail for promises of a replaced `globalThis.Promise` (zone.js,
 * bluebird, a subclass of another realm): test for a `then` method instead, with `isThenable`.
 */
export function promiseClassChecks(files: readonly SourceFile[]): string[] {
  return nodesOf(files, (node) => {
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.InstanceOfKeyword) return undefined
    return isPromiseClass(node.right) ? 'checks for instanceof Promise; use isThenable' : undefined
  })
}

/**
 * Results that `void` discards, unless the called function cannot reject: its name ends in `InBackground`, or the TSDoc
 * of its declaration says "Never rejects". The linter finds promises that nothing handles at all.
 */
export function discardedPromises(files: readonly SourceFile[]): string[] {
  const safe = new Set(packageSources(files).flatMap(functionsThatNeverReject))
  return nodesOf(files, (node) => {
    if (!ts.isVoidExpression(node)) return undefined
    const callee = calleeOf(node.expression)
    if (callee !== undefined && (callee.endsWith('InBackground') || safe.has(callee))) return undefined
    return `discards ${node.expression.getText().split('\n')[0]}`
  })
}

function nodesOf(files: readonly SourceFile[], problemOf: (node: ts.Node) => string | undefined): string[] {
  return packageSources(files).flatMap((file) => {
    const found: string[] = []
    const visit = (node: ts.Node): void => {
      const problem = problemOf(node)
      if (problem !== undefined) found.push(`${file.path}:${lineOf(node)} ${problem}`)
      ts.forEachChild(node, visit)
    }
    visit(parse(file))
    return found
  })
}

/** `Promise`, or a member of that name of something else, such as `globalThis.Promise`. */
function isPromiseClass(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isPromiseClass(node.expression)
  if (ts.isIdentifier(node)) return node.text === 'Promise'
  return ts.isPropertyAccessExpression(node) && node.name.text === 'Promise'
}

/** The last name of what is called: `c` for `a.b.c()` and for `this.#c()`; undefined where nothing is called. */
function calleeOf(node: ts.Expression): string | undefined {
  if (ts.isParenthesizedExpression(node)) return calleeOf(node.expression)
  if (!ts.isCallExpression(node)) return undefined
  const { expression } = node
  if (ts.isIdentifier(expression)) return expression.text
  return ts.isPropertyAccessExpression(expression) ? expression.name.text.replace(/^#/, '') : undefined
}

function functionsThatNeverReject(file: SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const name = declaredName(node)
    if (name !== undefined && commentOf(node).includes('Never rejects')) found.push(name)
    ts.forEachChild(node, visit)
  }
  visit(parse(file))
  return found
}

function declaredName(node: ts.Node): string | undefined {
  const isDeclaration =
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isMethodSignature(node) ||
    ts.isPropertySignature(node) ||
    ts.isVariableDeclaration(node)
  return isDeclaration ? node.name?.getText().replace(/^#/, '') : undefined
}

function commentOf(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .map((comment) => comment.getText())
    .join('\n')
}
