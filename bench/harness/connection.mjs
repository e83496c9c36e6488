/** An HTTP/1.1 client that does as little as possible, so that it is the server that is measured. */
import { once } from 'node:events'
import { connect } from 'node:net'

const lengthHeader = /\r\ncontent-length: *(\d+)/i

/**
 * @typedef {object} Connection
 * @property {(request: Buffer, answered: (status: number) => void) => void} send once the one before is answered.
 *   Calls back with the status, or with 0 if the connection ended without an answer
 * @property {() => boolean} isOpen whether the server has not closed it in the meantime
 * @property {() => void} close
 */

/**
 * Opens a connection that is kept alive. Answers need a Content-Length.
 *
 * @param {number} port on 127.0.0.1
 * @returns {Promise<Connection>}
 */
export async function openConnection(port) {
  /** @type {(status: number) => void} */
  let answered = () => undefined
  /** What came of an answer that is not complete. @type {Buffer | undefined} */
  let rest
  /** The length of an answer with status 200, which is the same each time. */
  let usualLength = 0
  /** One buffer for all that comes, so that reading makes no garbage. */
  const buffer = Buffer.alloc(65_536)
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback: received } })
  await once(socket, 'connect')

  /** @param {number} count bytes at the start of the buffer */
  function received(count) {
    if (rest === undefined && count === usualLength && isOk(buffer)) {
      answered(200)
      return true
    }
    const bytes = Buffer.concat([rest ?? Buffer.alloc(0), buffer.subarray(0, count)])
    const length = answerLength(bytes)
    if (length === undefined || bytes.length < length) {
      rest = bytes
      return true
    }
    if (bytes.length > length) throw new Error('more than one answer')
    rest = undefined
    const status = Number(bytes.toString('latin1', 9, 12))
    if (status === 200) usualLength = length
    answered(status)
    return true
  }

  socket.on('error', () => answered(0))
  socket.on('close', () => answered(0))
  return {
    send(request, callback) {
      answered = callback
      if (socket.writable) socket.write(request)
      else answered(0)
    },
    isOpen: () => socket.writable,
    close() {
      answered = () => undefined
      socket.destroy()
    },
  }
}

/** Whether the status is 200. @param {Buffer} bytes */
function isOk(bytes) {
  return bytes[9] === 0x32 && bytes[10] === 0x30 && bytes[11] === 0x30
}

/** The length of the answer that begins here; undefined while its header section is not complete. @param {Buffer} bytes */
function answerLength(bytes) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const match = lengthHeader.exec(bytes.toString('latin1', 0, end))
  if (match === null) throw new Error('an answer without Content-Length')
  return end + 4 + Number(match[1])
}
