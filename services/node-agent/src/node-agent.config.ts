import { attestationKinds } from '@astro/messages/attestation-kinds';
import { runtimeKinds } from '@astro/messages/runtimes';
import { commonConfig } from '@astro/runtime/config';
import { z } from 'zod';

const baseUnits = z.string().regex(/^[1-9]\d{0,29}$/, 'must be a whole number of base units');
const count = z.coerce.number().int().min(1);

/** The kinds named, separated by commas; each once. */
const runtimes = z
  .string()
  .transform(text => text.split(',').map(name => name.trim()))
  .pipe(z.array(z.enum(runtimeKinds)))
  .refine(kinds => new Set(kinds).size === kinds.length, 'must not repeat');

export const nodeAgentConfig = z.object({
  HTTP_HOST: commonConfig.HTTP_HOST,
  HTTP_PORT: commonConfig.HTTP_PORT,
  LOG_LEVEL: commonConfig.LOG_LEVEL,
  GATEWAY_URL: z.url({ protocol: /^https?$/ }).transform(url => url.replace(/\/+$/, '')),
  /** The operator's API key; used to enrol, and never sent to anybody but the gateway. */
  OPERATOR_KEY: z.string().regex(/^astro_[0-9A-Za-z]{49}$/, 'is not an API key'),
  /** The node takes no leases, and runs again what others did once its stake is registered: a validator. */
  VALIDATES: z.stringbool().default(false),
  /** Holds the node's key, its leases and its cache. Who has this folder is this node. */
  AGENT_STATE_DIR: z.string().min(1),
  AGENT_NAME: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -'),
  REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z0-9]+){1,3}$/, 'must be a country and a place, for example de-fra'),
  PRICE_PER_SECOND_ATTO: baseUnits,
  /** The least for a lease that may be stopped with notice; half of the other when it is not given. */
  INTERRUPTIBLE_PRICE_PER_SECOND_ATTO: baseUnits.optional(),
  /** For each GiB that is fetched or uploaded for a lease; nothing when it is not given. */
  PRICE_PER_GIB_TRANSFERRED_ATTO: baseUnits.optional(),
  /** How this machine can prove what it runs. A claim: jobs that need it come once evidence was accepted. */
  ATTESTATION: z.enum(attestationKinds).optional(),
  /** Where the kernel hands out evidence of SEV-SNP and TDX. */
  ATTESTATION_REPORTS: z
    .string()
    .startsWith('/', 'must be an absolute path')
    .default('/sys/kernel/config/tsm/report'),
  /** PEM file with the certificates of the chip's key and its authority (ASK), where the host hands on none. */
  ATTESTATION_CERTIFICATES: z.string().startsWith('/', 'must be an absolute path').optional(),
  /** What is offered of this machine; more than it has is refused at start. Unless told, most of it. */
  OFFER_CPU_MILLIS: count.max(1_024_000),
  OFFER_MEMORY_MIB: count.max(16 * 1024 * 1024),
  OFFER_DISK_MIB: count.max(4_294_967_295).optional(),
  /** Which devices beside the processor: `all`, `none`, or their ids, separated by commas. */
  OFFER_DEVICES: z
    .union([z.enum(['all', 'none']), z.string().transform(text => text.split(',').map(id => id.trim()))])
    .default('all'),
  /** Whether several tasks may share a device by thousandths. */
  SHARE_DEVICES: z.stringbool().default(false),
  /** When the machine is offered, such as `Mon-Fri 19:00-07:00`; always, when it is not given. */
  OFFER_HOURS: z.string().max(300).optional(),
  OFFER_TIME_ZONE: z.string().max(64).default('UTC'),
  /** How often the agent looks whether devices have come or gone. */
  INVENTORY_LOOK_MS: count.min(100).max(86_400_000).default(60_000),
  /** The host keeps so much, whatever runs: below, the node takes no more work and evicts. 0: it is not looked at. */
  HOST_MEMORY_LEFT_MIB: count
    .min(0)
    .max(16 * 1024 * 1024)
    .default(256),
  HOST_DISK_LEFT_MIB: count.min(0).max(4_294_967_295).default(1_024),
  /** How often that is looked at. */
  PRESSURE_LOOK_MS: count.min(100).max(3_600_000).default(5_000),
  /** What this node may run. Programs that are no WebAssembly reach the kernel: that is the operator's to allow. */
  RUNTIMES: runtimes.default(['wasm']),
  /** The program that makes sandboxes for executable files. */
  BUBBLEWRAP: z.string().min(1).default('bwrap'),
  /** A folder with the root file system of their sandboxes; else the least of this machine's own. */
  PROCESS_ROOT: z.string().startsWith('/', 'must be an absolute path').optional(),
  /** File of a network namespace that programs which need one may use; none without it. */
  PROCESS_NETWORK_NAMESPACE: z.string().startsWith('/', 'must be an absolute path').optional(),
  /** `each`: memory and processes are limited for each process alone, where no control group can be made. */
  PROCESS_LIMITS: z.enum(['together', 'each']).default('together'),
  /** As root, programs run as this user and those after it, who own nothing. */
  PROCESS_FIRST_USER_ID: count.min(1_000).max(4_000_000_000).default(2_000_000_000),
  /** Socket of the container engine. */
  CONTAINER_ENGINE: z.string().startsWith('/', 'must be an absolute path').default('/var/run/docker.sock'),
  /** Name of the engine's network that containers which need one may use; none without it. */
  CONTAINER_NETWORK: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'must be the name of a network')
    .optional(),
  /** A certificate authority, in PEM, that gateway and bus may be certified by beside those that everybody knows. */
  NATS_CA: z.string().min(1).optional(),
  /** The node makes itself another key when this one is so old. */
  KEY_ROTATION_DAYS: count.max(3_650).default(90),
  /** How often the node measures itself, on average: at random times, and never while it works. 0: never. */
  MEASURE_EVERY_MS: z.coerce.number().int().min(0).max(604_800_000).default(21_600_000),
  HEARTBEAT_MS: count.min(100).max(60_000).default(15_000),
  /** How long the agent waits for word of its desired state before it asks again. */
  DESIRED_STATE_PATIENCE_MS: count.min(100).max(600_000).default(10_000),
  CONTENT_CACHE_MIB: count
    .min(64)
    .max(1024 * 1024)
    .default(1024),
  /** Address and port where content is served to other nodes; nothing is served without it. */
  CONTENT_LISTEN: z
    .string()
    .regex(/^(\[[0-9a-f:.]+\]|[\w.-]+):\d{1,5}$/i, 'must be an address and a port')
    .optional(),
  /** How other nodes reach that, when it is to be offered. */
  CONTENT_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform(url => url.replace(/\/+$/, ''))
    .optional(),
  /** Whether content may be fetched from addresses that only a private network or this machine has. */
  CONTENT_PRIVATE_ADDRESSES: z.stringbool().default(false),
  /** How often it is told what has changed of the files that are held here, at most. */
  HOLDINGS_EVERY_MS: count.min(1_000).max(3_600_000).default(60_000),
  /** What is sent to other nodes in a second, at most. */
  CONTENT_UPLOAD_MIB_PER_SECOND: count.max(100_000).default(100),
});

export type NodeAgentConfig = z.infer<typeof nodeAgentConfig>;

/** Under this token the module provides the validated configuration. */
export const NODE_AGENT_CONFIG = Symbol('node agent configuration');
