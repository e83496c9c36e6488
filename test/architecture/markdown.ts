import { posix } from 'node:path'
import type { SourceFile } from './source-file.ts'

/** A row of a table, under the heading of the second level that it stands below. */
export interface Row {
  readonly section: string
  /** The cells as they are written, without white space around them. */
  readonly cells: readonly string[]
}

/** Where the repository is; its folder `blob/main` has the files, `tree/main` the folders. */
export const repositoryUrl = 'https://github.com/jwks-auth/jwks-auth'

/** The Markdown files among these. */
export function markdownFiles(files: readonly SourceFile[]): SourceFile[] {
  return files.filter(({ path }) => path.endsWith('.md') || path === 'llms.txt')
}

/** Links that lead to no file or folder of the repository, or to no heading of that file. */
export function brokenLinks(files: readonly SourceFile[]): string[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  const anchors = new Map(markdownFiles(files).map(({ path, text }) => [path, anchorsOf(text)]))
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)))
  const isThere = (target: string, anchor: string | undefined): boolean => {
    if (anchor !== undefined) return anchors.get(target)?.has(anchor) ?? false
    return texts.has(target) || folders.has(target)
  }
  const isPublished = (path: string): boolean => {
    const [, kind, target = '', anchor] = /^\/(blob|tree)\/main\/([^#]+?)\/?(?:#(.+))?$/.exec(path) ?? []
    if (kind === 'tree') return folders.has(target) && anchor === undefined
    return kind === 'blob' && !folders.has(target) && isThere(target, anchor)
  }
  return markdownFiles(files).flatMap(({ path, text }) =>
    linksIn(text).flatMap((link) => {
      if (link.startsWith(`${repositoryUrl}/`)) {
        return isPublished(link.slice(repositoryUrl.length)) ? [] : [`${path} links to ${link}`]
      }
      if (isAbsolute(link)) return []
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : posix.join(posix.dirname(path), file).replace(/\/$/, '')
      return isThere(target, anchor) ? [] : [`${path} links to ${link}`]
    }),
  )
}

/** Links to other files that work only next to them: npm shows a package's README without the repository. */
export function relativeLinks({ path, text }: SourceFile): string[] {
  return linksIn(text).flatMap((link) => (isAbsolute(link) || link.startsWith('#') ? [] : [`${path} links to ${link}`]))
}

/** The rows of all tables, headers and the lines below them left out. */
export function tableRows(text: string): Row[] {
  let section = ''
  const lines = withoutFences(text).split('\n')
  return lines.flatMap((line, index) => {
    section = /^## (.+)$/.exec(line)?.[1] ?? section
    const isBody = line.startsWith('|') && !isRule(line) && !isRule(lines[index + 1])
    return isBody ? [{ section, cells: cellsOf(line) }] : []
  })
}

/** The TypeScript in a document, block by block. */
export function examplesIn(text: string): string[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
}

/** The targets of links and pictures. */
function linksIn(text: string): string[] {
  return [...withoutFences(text).matchAll(/\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)|\b(?:href|src)="([^"]+)"/gm)].map(
    ([, inline, reference, html]) => inline ?? reference ?? html ?? '',
  )
}

function isAbsolute(link: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(link)
}

/** The anchors that GitHub gives to headings, and those that are written out. */
function anchorsOf(text: string): Set<string> {
  const prose = withoutFences(text)
  const headings = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
  const written = [...prose.matchAll(/<a id="([^"]+)"><\/a>/g)].map(([, id = '']) => id)
  return new Set([...headings, ...written])
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '')
}

function isRule(line: string | undefined): boolean {
  return line !== undefined && /^\|[\s|:-]+\|$/.test(line)
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}
