/**
 * Verifies evidence, one after the other. A document keeps a core busy for tens of milliseconds, in which the registry
 * would hear no heartbeat. Imports packages alone, so that Node can load this file from the sources as well as from
 * the build.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { verifyEvidence } from '@astro/attestation/verify-evidence';
import { readExpectations } from '@astro/registry/attestation/expectations.reader';
import type { Verified, VerifierTask } from '@astro/registry/attestation/verifier-thread.loop';

const { folder } = workerData as { readonly folder: string };
let last: Promise<void> = Promise.resolve();

parentPort!.on('message', (task: VerifierTask) => {
  last = last.then(async () => parentPort!.postMessage(await verified(task)));
});

async function verified({ id, document, ...asked }: VerifierTask): Promise<Verified> {
  try {
    const { rules, rulesDigest, roots } = await readExpectations(folder);
    return { id, rulesDigest, verdict: await verifyEvidence(document, { ...asked, rules, roots }) };
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : String(error) };
  }
}
