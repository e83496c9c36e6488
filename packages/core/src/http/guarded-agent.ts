import { lookup as resolve } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { UpstreamAddressNotAllowedError } from '../base/errors/upstream-errors.ts'
import { type AddressCheck, type AddressRules, createAddressCheck } from './address-rules.ts'

/** Milliseconds for DNS, TCP and TLS together, where the attempt itself is not given up earlier. */
const CONNECT_TIMEOUT = 10_000

/**
 * An undici agent that connects only to addresses that the rules allow. The addresses are checked when a
 * connection is made, after name resolution, so that no name can lead elsewhere than it was checked for.
 */
export function createGuardedAgent(rules: AddressRules): Agent {
  const isAllowed = createAddressCheck(rules)
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT, lookup: guardedLookup(isAllowed) })
  return new Agent({
    connect(options, callback) {
      // net.connect does not ask `lookup` for IP literals.
      const host = options.hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0 && !isAllowed(host)) {
        callback(new UpstreamAddressNotAllowedError(), null)
        return
      }
      connect(options, callback)
    },
  })
}

function guardedLookup(isAllowed: AddressCheck): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '')
        return
      }
      const allowed = addresses.filter(({ address }) => isAllowed(address))
      const first = allowed[0]
      if (first === undefined) callback(new UpstreamAddressNotAllowedError(), '')
      else if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}
