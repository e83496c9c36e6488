import type undici = require('undici')

export declare function loadUndici(): typeof undici
