import { expect } from '@jest/globals';
import { runAstro } from '@astro/devstack/command-line';
import { cidOf } from '@astro/messages/content-id';

export type ListedNode = {
  readonly id: string;
  readonly status: string;
  readonly region: string;
  readonly inventory: {
    readonly cpuMillis: number;
    readonly runtimes: readonly string[];
    readonly devices: readonly { readonly kind: string; readonly model: string }[];
  };
};

export const authorized = (key: string) => ({ authorization: `Bearer ${key}` });

export const claimsOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString()) as object;

export async function uploadTo(gatewayUrl: string, key: string, bytes: Uint8Array): Promise<string> {
  const cid = cidOf(bytes);
  const headers = { ...authorized(key), 'content-type': 'application/octet-stream' };
  const body = bytes as Uint8Array<ArrayBuffer>;
  const { ok } = await fetch(`${gatewayUrl}/v1/content/${cid}`, { method: 'PUT', headers, body });
  expect(ok).toBe(true);
  return cid;
}

export async function nodesAt(gatewayUrl: string, key: string): Promise<readonly ListedNode[]> {
  const response = await fetch(`${gatewayUrl}/v1/nodes`, { headers: authorized(key) });
  return ((await response.json()) as { items: ListedNode[] }).items;
}

/** `astro node …`, as an operator would say it. */
export async function astroNode(args: readonly string[], env: Record<string, string>) {
  const { exitCode, stdout, stderr } = await runAstro(['node', ...args, '--json'], env);
  if (stdout === '') throw new Error(stderr);
  const answer = JSON.parse(stdout) as { readonly nodeId: string; readonly publicKey?: string };
  return { exitCode, answer };
}
