export type { ChannelListener, RedisClient } from './redis-client.ts'
export { redisStore } from './redis-store.ts'
export type { RedisStoreOptions } from './store-options.ts'
