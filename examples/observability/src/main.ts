import { jwksAuth, logEvents } from '@jwks-auth/express'
import { installOpenTelemetry } from '@jwks-auth/opentelemetry'
import { installDefaultExporter } from '@jwks-auth/prometheus'
import express from 'express'

const { ISSUER = 'https://issuer.example', AUDIENCE = 'https://api.example', PORT = '3000' } = process.env

const auth = jwksAuth({ issuer: ISSUER, audience: AUDIENCE })
const exporter = installDefaultExporter(auth.registry)
// Records nothing until the process is started with an OpenTelemetry SDK.
installOpenTelemetry(auth.registry)
logEvents(auth.registry, {
  error: (fields, message) => console.error(message, fields),
  warn: (fields, message) => console.warn(message, fields),
  info: (fields, message) => console.info(message, fields),
  debug: () => undefined,
})

const app = express()
// For Prometheus alone: not on a port that the internet reaches.
app.get('/metrics', exporter.handler)
app.use(auth)
app.get('/', (request, response) => {
  response.json({ subject: request.auth?.claims.sub })
})
const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.info(`API on http://127.0.0.1:${PORT}/, metrics on http://127.0.0.1:${PORT}/metrics`)
})

process.once('SIGTERM', () => {
  server.close()
  auth.close().catch(console.error)
})
