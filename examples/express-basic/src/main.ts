import { createApi } from './api.ts'

const { ISSUER = 'https://acme.eu.auth0.com/', AUDIENCE = 'https://api.example.com', PORT = '3000' } = process.env

const { app, authenticate } = createApi({
  issuer: ISSUER,
  audience: AUDIENCE,
  // The client sees a fixed sentence; the log says why.
  onRefused: (error) => console.warn(`refused: ${error.code} ${error.message}`),
})
const server = app.listen(Number(PORT), () => console.log(`http://localhost:${PORT}/orders`))

process.once('SIGTERM', () => {
  server.close(() => authenticate.close())
})
