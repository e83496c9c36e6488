import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SingleTenantOptions } from '@jwks-auth/fastify'

/** Where a cluster publishes its keys, and what it calls itself. */
export interface Cluster {
  /** The `iss` of the tokens: `kubectl get --raw /.well-known/openid-configuration` shows it. */
  readonly issuer: string
  readonly jwksUri: string
  /** Where the pod's own service account is mounted. */
  readonly files: string
}

/** The cluster that this pod runs in, as most are set up. */
export const thisCluster: Cluster = {
  issuer: 'https://kubernetes.default.svc.cluster.local',
  // Not discovered: the metadata names the public address of the API server, which pods often cannot reach.
  jwksUri: 'https://kubernetes.default.svc/openid/v1/jwks',
  files: '/var/run/secrets/kubernetes.io/serviceaccount',
}

/**
 * Options for the tokens of a cluster's pods. The API server has a certificate of the cluster's own authority, and gives its
 * keys to authenticated clients only. Both files are rotated, so they are read again each time.
 */
export function serviceAccountsOf({ issuer, jwksUri, files }: Cluster, audience: string): SingleTenantOptions {
  return {
    issuer,
    jwksUri,
    audience,
    ca: () => readFile(join(files, 'ca.crt'), 'utf8'),
    headers: async () => ({ authorization: `Bearer ${(await readFile(join(files, 'token'), 'utf8')).trim()}` }),
  }
}
