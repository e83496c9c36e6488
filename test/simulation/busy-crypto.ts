/** Web Crypto, watched: its work is done on threads of its own, in no virtual time. */
export interface BusyCrypto {
  /** True while an operation is under way. */
  isBusy(): boolean
  /** Ends the watch. */
  restore(): void
}

/** Watches what verification needs, until it is restored. */
export function watchCrypto(): BusyCrypto {
  const { subtle } = crypto
  let underWay = 0

  function counted<Arguments extends unknown[], Result>(
    operation: (...given: Arguments) => Promise<Result>,
  ): (...given: Arguments) => Promise<Result> {
    return async (...given) => {
      underWay += 1
      try {
        return await operation(...given)
      } finally {
        underWay -= 1
      }
    }
  }

  Object.assign(subtle, {
    verify: counted(subtle.verify.bind(subtle)),
    importKey: counted(subtle.importKey.bind(subtle)),
  })
  return {
    isBusy: () => underWay > 0,
    restore() {
      Reflect.deleteProperty(subtle, 'verify')
      Reflect.deleteProperty(subtle, 'importKey')
    },
  }
}
