import { offeredRuntimes } from '@astro/messages/runtimes';
import { z } from 'zod';
import { pageOf, pageQuery } from '../http/page.js';
import { ageRecipient } from '../jobs/encryption.schema.js';
import { drain, performance } from './node-work.schema.js';
import { atto, attestationKind, deviceKind, positiveAtto, printable, region } from '../http/fields.js';

const MEMORY_MAX_MIB = 16 * 1_024 * 1_024;

const label = z
  .string()
  .min(1)
  .max(120)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, 'must have printable characters only');
const memoryMib = z.int().min(1).max(MEMORY_MAX_MIB).meta({ example: 8_192 });

const watts = z.int().min(0).max(10_000).default(0);
const name = printable.max(120).default('');

const device = z
  .strictObject({
    kind: deviceKind,
    vendor: label,
    model: label,
    memoryMib,
    interconnect: name.meta({ description: 'Devices with the same name are joined by a fast link' }),
    isShareable: z.boolean().default(false).meta({ description: 'By several tasks, in thousandths' }),
    slices: z
      .array(z.strictObject({ profile: label, memoryMib }))
      .max(16)
      .default([])
      .meta({ description: 'Where there are any, they are handed out instead of the device' }),
    idleWatts: watts,
    fullWatts: watts,
  })
  .meta({ id: 'Device' });

const inventory = z
  .strictObject({
    devices: z.array(device).min(1).max(64),
    cpuMillis: z.int().min(1).max(1_024_000).meta({ example: 4_000 }),
    memoryMib,
    diskMib: z.int().min(0).max(4_294_967_295).meta({ example: 65_536 }),
    bandwidthMbps: z.int().min(0).max(1_600_000).default(0),
    operatingSystem: label.meta({ example: 'linux' }),
    architecture: label.meta({ example: 'x64' }),
    runtimes: z
      .array(label)
      .min(1)
      .max(8)
      .meta({ description: offeredRuntimes.join(', '), example: ['wasm'] }),
  })
  .meta({ id: 'Inventory' });

export const publicKey = z
  .string()
  .regex(/^U[A-Z2-7]{55}$/, 'must be an Ed25519 public key in the NATS user form: `U` and 55 characters');

export const enrolment = z
  .strictObject({
    publicKey,
    offer: z.strictObject({
      region,
      inventory,
      pricePerSecondAtto: positiveAtto.meta({ description: 'Of one device, for each second of a lease' }),
      interruptiblePricePerSecondAtto: positiveAtto.optional().meta({
        description:
          'The same for a lease that may be stopped with notice; not above the other. Else half of the other',
      }),
      pricePerGibTransferredAtto: positiveAtto.optional().meta({
        description: 'For each GiB that the node moves for a lease. Absent: nothing',
      }),
      contentUrl: z
        .url({ protocol: /^https?$/ })
        .max(200)
        .optional()
        .meta({ description: 'Where it serves content that it holds to other nodes. Absent: nowhere' }),
      encryptionRecipient: ageRecipient
        .optional()
        .meta({ description: 'Whom keys of encrypted jobs are encrypted to. Absent: it takes no such jobs' }),
      attestationClaimed: attestationKind
        .optional()
        .meta({ description: 'What the node can prove. It counts once its evidence was accepted' }),
      validates: z.boolean().optional().meta({
        description:
          'The node takes no leases: it runs again what others did, once a stake is registered for it',
      }),
      fabric: name.meta({ description: 'Nodes with the same name are joined by a fast network' }),
      maintenance: z
        .array(z.strictObject({ from: z.iso.datetime(), until: z.iso.datetime() }))
        .max(32)
        .default([])
        .meta({
          description: 'No task is given that could still run at `from`, or would start before `until`',
        }),
    }),
  })
  .meta({
    id: 'Enrolment',
    example: {
      publicKey: `U${'A'.repeat(55)}`,
      offer: {
        region: 'de-fra',
        inventory: {
          devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 8_192 }],
          cpuMillis: 4_000,
          memoryMib: 8_192,
          diskMib: 65_536,
          operatingSystem: 'linux',
          architecture: 'x64',
          runtimes: ['wasm'],
        },
        pricePerSecondAtto: '1000000000000000',
      },
    },
  });
export type Enrolment = z.output<typeof enrolment>;

const signature = z
  .string()
  .regex(/^[\w-]{86}$/, 'must be an Ed25519 signature of 64 bytes in base64url')
  .meta({
    description: 'Under the statement `astro node key 1`, `node: <id>`, `key: <publicKey>`, a line each',
  });

export const newKey = z
  .strictObject({
    publicKey,
    signatureByNew: signature,
    signatureByCurrent: signature.optional().meta({
      description: 'Needed of a node, which has its current key; not of an operator, whose node lost it',
    }),
  })
  .meta({ id: 'NewNodeKey' });
export type NewKey = z.output<typeof newKey>;

export const revocation = z
  .strictObject({ reason: printable.max(300) })
  .meta({ id: 'NodeRevocation', example: { reason: 'the machine was stolen' } });
export const revoked = z.object({ nodeId: z.string() }).meta({ id: 'RevokedNode' });
export type Revocation = z.output<typeof revocation>;

export const credentials = z
  .object({ jwt: z.string(), expiresAt: z.iso.datetime(), servers: z.array(z.string()) })
  .meta({ id: 'NodeCredentials', description: 'Of use only together with the private key of the node' });

export const enrolled = z.object({ nodeId: z.string(), credentials }).meta({ id: 'EnrolledNode' });

export const attestation = z
  .object({
    kind: attestationKind,
    evidenceDigest: z.string().meta({ description: 'SHA-256 in hexadecimal digits' }),
    acceptedAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    findings: z
      .object({
        measurement: z.string().meta({ description: 'Of the software that was started' }),
        firmware: z.string(),
        hardwareClass: z.string().meta({ example: 'AMD SEV-SNP Milan' }),
        rulesDigest: z.string().meta({ description: 'SHA-256 of the rules that it was held against' }),
        deviceCount: z.int().meta({ description: 'Devices that proved themselves' }),
      })
      .optional()
      .meta({ description: 'Absent where the operator of the platform verified it elsewhere' }),
  })
  .meta({ id: 'Attestation' });

export const nodeResource = z
  .object({
    id: z.string().meta({ example: 'node_01h455vb4pex5vsknk084sn02q' }),
    operatorId: z.string(),
    region: z.string(),
    inventory,
    pricePerSecondAtto: atto,
    interruptiblePricePerSecondAtto: atto.meta({
      description: 'The least that is taken for a lease that may be stopped with notice',
    }),
    pricePerGibTransferredAtto: atto.meta({ description: 'For each GiB that it moves for a lease' }),
    contentUrl: z.string().optional().meta({
      description: 'Where it serves content that it holds to other nodes; told to nodes and to its operator',
    }),
    encryptionRecipient: ageRecipient
      .optional()
      .meta({ description: 'Whom the key of an encrypted job is encrypted to, so that the node can run it' }),
    status: z.enum(['online', 'offline']),
    revokedAt: z.iso.datetime().optional().meta({ description: 'Nothing that the node was given counts' }),
    attestationClaimed: attestationKind.optional(),
    attestation: attestation.optional().meta({
      description: 'What was accepted of the node last; after expiresAt it does not count any more',
    }),
    drain: drain.optional(),
    performance: performance.optional().meta({ description: 'What it measured of itself last' }),
  })
  .meta({ id: 'Node' });
export const nodePage = pageOf(nodeResource).meta({ id: 'NodePage' });
export const nodesQuery = pageQuery.extend({ status: z.enum(['online', 'offline']).optional() });
export const nodePath = { id: z.string().meta({ example: 'node_01h455vb4pex5vsknk084sn02q' }) };
