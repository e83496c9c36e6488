/** The sections by name, in the order in which they run and are reported. */
export const sectionNames = Object.freeze([
  'seen-token',
  'new-token',
  'refusals',
  'observability',
  'http-share',
  'http',
  'cold-start',
  'start',
  'shared-issuer',
  'dead-neighbours',
  'kid-flood',
  'event-loop',
  'rotation',
  'memory',
  'long-life',
])
