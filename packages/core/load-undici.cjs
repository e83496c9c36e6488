'use strict'

/**
 * Loads undici. With `require`: an `import` that fails, for lack of file descriptors say, fails again and again for as
 * long as the process lives (ECMAScript §16.2.1.6), and no keys could be fetched any more.
 */
exports.loadUndici = () => require('undici')
