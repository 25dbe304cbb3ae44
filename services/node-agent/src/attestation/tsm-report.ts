import { constants } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the kernel hands out: Linux 6.7 and later, `Documentation/ABI/testing/configfs-tsm`. */
export type TsmReport = {
  /** `sev_guest` or `tdx_guest`. */
  readonly provider: string;
  readonly report: Uint8Array;
  /** Of SEV-SNP, where the host was given certificates to hand on. */
  readonly auxiliary?: Uint8Array;
};

/**
 * Has the machine sign 64 bytes: an entry is made, the bytes are written into it, and what was signed is read out. The
 * entry is of this agent alone, and its generation tells whether somebody wrote to it all the same.
 * @throws Error that says which step did not work
 */
export async function readTsmReport(
  folder: string,
  name: string,
  reportData: Uint8Array,
): Promise<TsmReport> {
  const entry = join(folder, name);
  const attribute = (file: string) => readFile(join(entry, file));
  // One that a crash has left behind serves as well.
  await mkdir(entry).catch(unless('EEXIST', `${folder} takes no entry: is this a confidential machine?`));
  try {
    const before = await generationIn(entry);
    // The kernel lets nobody read it, and takes what was written once it is closed.
    await writeFile(join(entry, 'inblob'), reportData, { flag: constants.O_WRONLY });
    const report = new Uint8Array(await attribute('outblob'));
    const auxiliary = await attribute('auxblob').catch(unless('ENOENT', 'auxblob cannot be read'));
    const provider = (await attribute('provider')).toString('utf8').trim();
    if ((await generationIn(entry)) !== before + 1)
      throw new Error(`${entry} was written to by somebody else`);
    return { provider, report, ...(auxiliary?.length && { auxiliary: new Uint8Array(auxiliary) }) };
  } finally {
    // What cannot be removed is used again.
    await rmdir(entry).catch(() => {});
  }
}

const generationIn = async (entry: string): Promise<number> =>
  Number((await readFile(join(entry, 'generation'))).toString('utf8'));

const unless = (code: string, otherwise: string) => (error: NodeJS.ErrnoException) => {
  if (error.code === code) return undefined;
  throw new Error(`${otherwise} (${error.message})`, { cause: error });
};
