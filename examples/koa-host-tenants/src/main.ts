import { createApi } from './api.ts'

const { app, authenticate } = createApi()
const server = app.listen(Number(process.env['PORT'] ?? 3000))

process.once('SIGTERM', () => {
  server.close(() => authenticate.close())
})
