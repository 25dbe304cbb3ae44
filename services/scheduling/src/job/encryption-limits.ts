import { agePattern, encryptionLimits } from '@astro/messages/encryption';
import type { JobSpec } from '@astro/messages/scheduling';

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const NODE_ID = /^[A-Za-z0-9_-]{1,90}$/;

/** The first thing that is wrong with who may read a job's data, by field. */
export const flawOfEncryption = (spec: JobSpec): string | undefined =>
  flawOfNodes(spec) ?? (spec.encryption ? flawOfEncrypted(spec) : flawOfClear(spec));

function flawOfNodes({ requirements: { nodes }, quorum }: JobSpec): string | undefined {
  if (nodes === undefined) return undefined;
  const { nodeIds } = nodes;
  const at = 'spec.requirements.nodes.nodeIds';
  if (nodeIds.length < 1 || nodeIds.length > encryptionLimits.nodes)
    return `${at}: 1 to ${encryptionLimits.nodes}`;
  if (new Set(nodeIds).size < nodeIds.length) return `${at}: must not repeat`;
  if (!nodeIds.every(nodeId => NODE_ID.test(nodeId))) return `${at}: must be ids`;
  return nodeIds.length < quorum ? `${at}: at least as many as the quorum, ${quorum}` : undefined;
}

function flawOfEncrypted({ encryption, requirements, service, checkpoints }: JobSpec): string | undefined {
  const { scheme, wrappedKey, outputRecipients } = encryption!;
  if (scheme !== 'age') return 'spec.encryption.scheme: must be age';
  // Others could not read the key, and would fail one after the other.
  if (requirements.nodes === undefined)
    return 'spec.requirements.nodes: must name those that the key is encrypted to';
  if (wrappedKey.length > encryptionLimits.wrappedKeyLength || !BASE64.test(wrappedKey))
    return `spec.encryption.wrappedKey: base64 of at most ${encryptionLimits.wrappedKeyLength} characters`;
  if (outputRecipients.length < 1 || outputRecipients.length > encryptionLimits.outputRecipients)
    return `spec.encryption.outputRecipients: 1 to ${encryptionLimits.outputRecipients}`;
  const wrong = outputRecipients.findIndex(recipient => !agePattern.test(recipient));
  if (wrong >= 0) return `spec.encryption.outputRecipients[${wrong}]: must be an age recipient of X25519`;
  // Requests to a server and the state of a program half-way would pass the platform in clear.
  if (service) return 'spec.encryption: must be absent for a service';
  return checkpoints ? 'spec.checkpoints: must be absent for an encrypted job' : undefined;
}

function flawOfClear({ program, tasks }: JobSpec): string | undefined {
  if (program.isEncrypted) return 'spec.program.isEncrypted: must be absent without spec.encryption';
  const wrong = tasks.findIndex(({ inputs }) => inputs.some(({ isEncrypted }) => isEncrypted));
  return wrong < 0
    ? undefined
    : `spec.tasks[${wrong}].inputs: isEncrypted must be absent without spec.encryption`;
}
