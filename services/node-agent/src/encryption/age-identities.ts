import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { isAgeIdentity, newAgeIdentity, recipientOf } from '@astro/content/age';
import { z } from 'zod';
import { readJson, writeJson } from '../state/json-file.js';

const MS_PER_DAY = 24 * 3_600_000;
/** What was encrypted to an earlier identity and still waits is read with it. */
const EARLIER_KEPT = 2;
const EARLIER_KEPT_DAYS = 30;

const stored = z
  .array(
    z.object({
      identity: z.string().refine(isAgeIdentity, 'must be an age identity'),
      madeAt: z.iso.datetime().transform(text => new Date(text)),
    }),
  )
  .min(1);
type Stored = z.output<typeof stored>;

const pathIn = (stateDir: string): string => join(stateDir, 'age-identities.json');

/**
 * Whom the keys of encrypted jobs are encrypted to. Beside the node's own key, for that one signs, and another process
 * may have replaced either in the folder.
 */
export class AgeIdentities {
  readonly #stateDir: string;
  /** The current one first. */
  #identities: Stored;
  #recipient: string;

  private constructor(stateDir: string, identities: Stored, recipient: string) {
    this.#stateDir = stateDir;
    this.#identities = identities;
    this.#recipient = recipient;
  }

  /** Makes the first one where there is none. @throws Error when the file holds something else, which stays there */
  static async open(stateDir: string): Promise<AgeIdentities> {
    const identities = (await read(stateDir)) ?? (await renew(stateDir, [], new Date()));
    return new AgeIdentities(stateDir, identities, await recipientOf(identities[0]!.identity));
  }

  /** Of the current one. */
  get recipient(): string {
    return this.#recipient;
  }

  get all(): readonly string[] {
    return this.#identities.map(({ identity }) => identity);
  }

  /** Takes over what stands in the folder, and makes another one when the current one is too old. */
  async keepFresh(days: number, now: Date): Promise<void> {
    const known = (await read(this.#stateDir)) ?? this.#identities;
    const isOld = now.getTime() - known[0]!.madeAt.getTime() > days * MS_PER_DAY;
    this.#identities = isOld ? await renew(this.#stateDir, known, now) : known;
    this.#recipient = await recipientOf(this.#identities[0]!.identity);
  }
}

/** Another identity for the node of this folder; an agent that runs offers it after its next looks at the hardware. */
export async function renewAgeIdentity(stateDir: string, now: Date): Promise<void> {
  await renew(stateDir, (await read(stateDir)) ?? [], now);
}

async function renew(stateDir: string, known: Stored, now: Date): Promise<Stored> {
  const isKept = ({ madeAt }: Stored[number]) =>
    now.getTime() - madeAt.getTime() <= EARLIER_KEPT_DAYS * MS_PER_DAY;
  // The one that is replaced was published until now, however old it is.
  const [current, ...earlier] = known;
  const kept = [...(current ? [current] : []), ...earlier.filter(isKept)].slice(0, EARLIER_KEPT);
  const identities = [{ identity: await newAgeIdentity(), madeAt: now }, ...kept];
  await writeJson(pathIn(stateDir), identities);
  return identities;
}

async function read(stateDir: string): Promise<Stored | undefined> {
  const path = pathIn(stateDir);
  const existing = await readJson(path);
  if (existing === undefined) return undefined;
  const parsed = stored.safeParse(existing);
  if (!parsed.success)
    throw new Error(`${path} holds no age identities; restore it, or remove it for a new one`);
  await chmod(path, 0o600);
  return parsed.data;
}
