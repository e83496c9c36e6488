import { once } from 'node:events'
import { createApi } from './api.ts'

const { app, authenticate } = createApi()
const server = app.listen(Number(process.env['PORT'] ?? 3000))

await once(process, 'SIGTERM')
server.close()
await once(server, 'close')
await authenticate.close()
