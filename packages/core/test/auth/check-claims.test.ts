import { describe, expect, it } from 'vitest'
import { checkBasicClaims, checkClaims, checkType, type Refusal } from '../../src/auth/check-claims.ts'
import { type ClaimRuleOptions, checkClaimRules } from '../../src/auth/claim-rules.ts'

const now = 1_700_000_000_000
const seconds = now / 1_000
const claims = { iss: 'https://issuer.example', aud: 'api', sub: 'user', iat: seconds - 60, exp: seconds + 60 }

function outcomeOf(refusal: Refusal): string {
  return refusal === undefined ? 'accepted' : refusal.code
}

function verdict(changed: Readonly<Record<string, unknown>>, rules: ClaimRuleOptions = {}): string {
  const all: Record<string, unknown> = { ...claims, ...changed }
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  const checked = checkClaimRules('', { audience: 'api', ...rules })
  return outcomeOf(checkBasicClaims(given, now, checked.clockTolerance) ?? checkClaims(given, checked, now))
}

describe('the times of a token', () => {
  it.each<[string, Readonly<Record<string, unknown>>, ClaimRuleOptions, string]>([
    ['exp ahead', {}, {}, 'accepted'],
    ['exp passed within the tolerance', { exp: seconds - 29 }, {}, 'accepted'],
    ['exp passed by the tolerance', { exp: seconds - 30 }, {}, 'ERR_TOKEN_EXPIRED'],
    ['exp at this moment, without tolerance', { exp: seconds }, { clockTolerance: 0 }, 'ERR_TOKEN_EXPIRED'],
    ['exp a moment ahead, without tolerance', { exp: seconds + 0.001 }, { clockTolerance: 0 }, 'accepted'],
    ['no exp', { exp: undefined }, {}, 'ERR_CLAIM_MISSING'],
    ['exp as a string', { exp: String(seconds + 60) }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp null', { exp: null }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp without end', { exp: JSON.parse('1e999') }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp in a list', { exp: [seconds + 60] }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp true', { exp: true }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp below zero', { exp: -1 }, {}, 'ERR_TOKEN_EXPIRED'],
    ['nbf passed', { nbf: seconds - 1 }, {}, 'accepted'],
    ['nbf ahead within the tolerance', { nbf: seconds + 30 }, {}, 'accepted'],
    ['nbf ahead', { nbf: seconds + 31 }, {}, 'ERR_TOKEN_NOT_YET_VALID'],
    ['nbf ahead, with more tolerance', { nbf: seconds + 31 }, { clockTolerance: 31_000 }, 'accepted'],
    ['nbf as a string', { nbf: '0' }, {}, 'ERR_CLAIM_MALFORMED'],
    ['nbf null', { nbf: null }, {}, 'ERR_CLAIM_MALFORMED'],
    ['no iat', { iat: undefined }, {}, 'accepted'],
    ['iat ahead within the tolerance', { iat: seconds + 30 }, {}, 'accepted'],
    ['iat ahead', { iat: seconds + 31 }, {}, 'ERR_TOKEN_ISSUED_IN_FUTURE'],
    ['iat as a string', { iat: String(seconds) }, {}, 'ERR_CLAIM_MALFORMED'],
    ['iat as old as allowed', { iat: seconds - 90 }, { maxTokenAge: 60_000 }, 'accepted'],
    ['iat older', { iat: seconds - 91 }, { maxTokenAge: 60_000 }, 'ERR_TOKEN_TOO_OLD'],
    ['no iat with maxTokenAge', { iat: undefined }, { maxTokenAge: 60_000 }, 'ERR_CLAIM_MISSING'],
    ['iat in milliseconds', { iat: now }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp in milliseconds', { exp: now + 60_000 }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp of 1e306', { exp: 1e306 }, {}, 'ERR_CLAIM_MALFORMED'],
    ['exp in the last second of the year 9999', { exp: 253_402_300_799 }, {}, 'accepted'],
    ['exp in the first second of the year 10000', { exp: 253_402_300_800 }, {}, 'ERR_CLAIM_MALFORMED'],
    ['nbf in milliseconds', { nbf: now }, {}, 'ERR_CLAIM_MALFORMED'],
    ['nbf of -1e306', { nbf: -1e306 }, {}, 'ERR_CLAIM_MALFORMED'],
    ['iat without end', { iat: JSON.parse('1e999') }, {}, 'ERR_CLAIM_MALFORMED'],
  ])('with %s', (_, changed, rules, outcome) => {
    expect(verdict(changed, rules)).toBe(outcome)
  })
})

describe('the issuer of a token', () => {
  it.each<[string, unknown, string]>([
    ['is absent', undefined, 'ERR_CLAIM_MISSING'],
    ['is a list', ['https://issuer.example'], 'ERR_CLAIM_MALFORMED'],
    ['is null', null, 'ERR_CLAIM_MALFORMED'],
    ['is a number', 1, 'ERR_CLAIM_MALFORMED'],
  ])('%s', (_, iss, outcome) => {
    expect(verdict({ iss })).toBe(outcome)
  })
})

describe('the audience of a token', () => {
  it.each<[string, unknown, ClaimRuleOptions['audience'], string]>([
    ['ours', 'api', 'api', 'accepted'],
    ['ours in a list of one', ['api'], 'api', 'accepted'],
    ['ours among others', ['web', 'api'], 'api', 'accepted'],
    ['one of ours', 'b', ['a', 'b'], 'accepted'],
    ['another', 'web', 'api', 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['another in a list', ['web'], 'api', 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['a list of none', [], 'api', 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['ours in another case', 'API', 'api', 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['ours with a slash', 'api/', 'api', 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['ours as part of it', 'api web', 'api', 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['absent', undefined, 'api', 'ERR_CLAIM_MISSING'],
    ['absent where any will do', undefined, false, 'accepted'],
    ['another where any will do', 'web', false, 'accepted'],
    ['null', null, 'api', 'ERR_CLAIM_MALFORMED'],
    ['an object', { api: true }, 'api', 'ERR_CLAIM_MALFORMED'],
    ['a list with a number', ['api', 1], 'api', 'ERR_CLAIM_MALFORMED'],
    ['a list in a list', [['api']], 'api', 'ERR_CLAIM_MALFORMED'],
    ['a number where any will do', 1, false, 'ERR_CLAIM_MALFORMED'],
  ])('is %s', (_, aud, audience, outcome) => {
    expect(verdict({ aud }, { audience })).toBe(outcome)
  })
})

describe('the registered claims of a token', () => {
  const wrong = [null, 1, true, {}, ['x'], []]
  it.each(['sub', 'jti', 'client_id'].flatMap((name) => wrong.map((value) => [name, value] as const)))(
    '%s cannot be %j',
    (name, value) => {
      expect(verdict({ [name]: value })).toBe('ERR_CLAIM_MALFORMED')
      expect(verdict({ [name]: value }, { audience: false, clientIds: ['x'] })).toBe('ERR_CLAIM_MALFORMED')
    },
  )

  it.each(['sub', 'jti', 'client_id'])('%s can be a string or absent', (name) => {
    expect(verdict({ [name]: '' })).toBe('accepted')
    expect(verdict({ [name]: undefined })).toBe('accepted')
  })

  it.each<[unknown, string]>([
    ['read write', 'accepted'],
    ['', 'accepted'],
    [['read', 'write'], 'accepted'],
    [[], 'accepted'],
    [null, 'ERR_CLAIM_MALFORMED'],
    [1, 'ERR_CLAIM_MALFORMED'],
    [{ read: true }, 'ERR_CLAIM_MALFORMED'],
    [['read', 1], 'ERR_CLAIM_MALFORMED'],
    [[['read']], 'ERR_CLAIM_MALFORMED'],
    [['read', null], 'ERR_CLAIM_MALFORMED'],
  ])('scope %j is %s', (scope, outcome) => {
    expect(verdict({ scope })).toBe(outcome)
  })
})

describe('a number beyond 2^53', () => {
  it.each(['9007199254740993', '9007199254740992', '1234567890123456789', '1e16', '-9007199254740993'])(
    'is not equal to its neighbours: %s',
    (text) => {
      const bound = Number(text)
      expect(() => checkClaimRules('', { audience: 'api', boundClaims: { org_id: bound } })).toThrow(
        /boundClaims\.org_id must be a string, a boolean or a whole number up to 2\^53 - 1/,
      )
      const largest = { boundClaims: { org_id: Math.sign(bound) * Number.MAX_SAFE_INTEGER } }
      expect(verdict({ org_id: JSON.parse(text) }, largest)).toBe('ERR_CLAIM_NOT_BOUND')
    },
  )

  it.each([0.1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('cannot be bound, nor can %d', (value) => {
    expect(() => checkClaimRules('', { audience: 'api', boundClaims: { level: value } })).toThrow(TypeError)
  })

  it('leaves the largest safe numbers as they are', () => {
    for (const level of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0]) {
      expect(verdict({ level }, { boundClaims: { level } })).toBe('accepted')
      expect(verdict({ level: level - 1 }, { boundClaims: { level } })).toBe('ERR_CLAIM_NOT_BOUND')
    }
  })
})

describe('claim rules', () => {
  const bound = { boundClaims: { org_id: 'org_1' } }
  const clients = { clientIds: ['web', 'cli'] }
  it.each<[string, Readonly<Record<string, unknown>>, ClaimRuleOptions, string]>([
    ['a bound claim of that value', { org_id: 'org_1' }, bound, 'accepted'],
    ['a bound claim of another value', { org_id: 'org_2' }, bound, 'ERR_CLAIM_NOT_BOUND'],
    ['a bound claim in another case', { org_id: 'ORG_1' }, bound, 'ERR_CLAIM_NOT_BOUND'],
    ['a bound claim in a list', { org_id: ['org_1'] }, bound, 'ERR_CLAIM_NOT_BOUND'],
    ['no bound claim', {}, bound, 'ERR_CLAIM_NOT_BOUND'],
    ['a bound number as a string', { level: '1' }, { boundClaims: { level: 1 } }, 'ERR_CLAIM_NOT_BOUND'],
    ['a bound number', { level: 1 }, { boundClaims: { level: 1 } }, 'accepted'],
    ['a bound false that is absent', {}, { boundClaims: { admin: false } }, 'ERR_CLAIM_NOT_BOUND'],
    ['a bound false that is 0', { admin: 0 }, { boundClaims: { admin: false } }, 'ERR_CLAIM_NOT_BOUND'],
    ['a bound name of Object.prototype', {}, { boundClaims: { constructor: 'x' } }, 'ERR_CLAIM_NOT_BOUND'],
    [
      'two bound claims of which one holds',
      { org_id: 'org_1' },
      { boundClaims: { org_id: 'org_1', env: 'live' } },
      'ERR_CLAIM_NOT_BOUND',
    ],
    ['an allowed client_id', { client_id: 'cli' }, clients, 'accepted'],
    ['an allowed azp', { azp: 'web' }, clients, 'accepted'],
    ['another client_id', { client_id: 'x' }, clients, 'ERR_CLIENT_NOT_ALLOWED'],
    ['another client_id beside an allowed azp', { client_id: 'x', azp: 'web' }, clients, 'ERR_CLIENT_NOT_ALLOWED'],
    ['an allowed client_id beside another azp', { client_id: 'web', azp: 'x' }, clients, 'accepted'],
    ['neither client_id nor azp', {}, clients, 'ERR_CLIENT_NOT_ALLOWED'],
    ['a client_id in a list', { client_id: ['web'] }, clients, 'ERR_CLAIM_MALFORMED'],
    ['a required claim', { email: 'a@b.example' }, { requiredClaims: ['email'] }, 'accepted'],
    ['a required claim that is false', { email: false }, { requiredClaims: ['email'] }, 'accepted'],
    ['no required claim', {}, { requiredClaims: ['email'] }, 'ERR_CLAIM_MISSING'],
    ['no required name of Object.prototype', {}, { requiredClaims: ['toString'] }, 'ERR_CLAIM_MISSING'],
    ['cnf', { cnf: { jkt: 'x' } }, {}, 'ERR_CONFIRMATION_NOT_CHECKED'],
    ['cnf null', { cnf: null }, {}, 'ERR_CONFIRMATION_NOT_CHECKED'],
    ['cnf that is ignored explicitly', { cnf: { jkt: 'x' } }, { cnf: 'ignore' }, 'accepted'],
  ])('with %s', (_, changed, rules, outcome) => {
    expect(verdict(changed, rules)).toBe(outcome)
  })
})

describe('the type of a token', () => {
  it.each<[string | undefined, ClaimRuleOptions['typ'], boolean]>([
    [undefined, undefined, true],
    ['JWT', undefined, true],
    ['jwt', undefined, true],
    ['at+jwt', undefined, true],
    ['AT+JWT', undefined, true],
    ['application/at+jwt', undefined, true],
    ['Application/JWT', undefined, true],
    ['', undefined, false],
    ['logout+jwt', undefined, false],
    ['dpop+jwt', undefined, false],
    ['secevent+jwt', undefined, false],
    ['JOSE', undefined, false],
    ['text/at+jwt', undefined, false],
    ['at+jwt', 'at+jwt', true],
    ['application/at+jwt', 'at+jwt', true],
    ['at+jwt', 'application/AT+jwt', true],
    ['JWT', 'at+jwt', false],
    [undefined, 'at+jwt', false],
    ['b', ['a', 'b'], true],
    ['constructor', undefined, false],
  ])('%j under the rule %j is allowed: %s', (typ, rule, allowed) => {
    const rules = checkClaimRules('', { audience: 'api', typ: rule })
    expect(outcomeOf(checkType(typ, rules))).toBe(allowed ? 'accepted' : 'ERR_TOKEN_TYPE_NOT_ALLOWED')
  })
})

describe('the profile of RFC 9068', () => {
  const rules = checkClaimRules('', { audience: 'api', profile: 'rfc9068', requiredClaims: ['org'] })

  it.each<[string | undefined, boolean]>([
    ['at+jwt', true],
    ['application/at+jwt', true],
    ['JWT', false],
    [undefined, false],
  ])('asks for its type: %j', (typ, allowed) => {
    expect(outcomeOf(checkType(typ, rules))).toBe(allowed ? 'accepted' : 'ERR_TOKEN_TYPE_NOT_ALLOWED')
  })

  it('asks for its claims beside those of requiredClaims', () => {
    expect(new Set(rules.requiredClaims)).toEqual(new Set(['org', 'aud', 'sub', 'client_id', 'iat', 'jti']))
  })
})
