import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, writeFileSync } from 'node:fs';
import { open, readFile, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;
const REPORT_DATA_BYTES = 64;
const NOT_YET = ['EAGAIN', 'ENXIO'];

export type TsmFolderOptions = {
  readonly provider: 'sev_guest' | 'tdx_guest';
  sign(reportData: Uint8Array): Promise<Uint8Array>;
  readonly auxiliary?: Uint8Array;
  /** Writes that somebody else makes meanwhile. */
  readonly interlopers?: number;
};

/**
 * One entry of configfs-tsm, with pipes in the place of the attributes that the kernel answers: what is written to
 * `inblob` is signed, and read from `outblob`, once. Anybody may write again.
 */
export class TsmFolder {
  readonly #closing = new AbortController();
  #serving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly entry: string,
    private readonly options: TsmFolderOptions,
  ) {}

  static open(folder: string, name: string, options: TsmFolderOptions): TsmFolder {
    const entry = join(folder, name);
    mkdirSync(entry, { recursive: true });
    execFileSync(
      'mkfifo',
      ['inblob', 'outblob'].map(file => join(entry, file)),
    );
    writeFileSync(join(entry, 'provider'), `${options.provider}\n`);
    writeFileSync(join(entry, 'generation'), '7\n');
    if (options.auxiliary) writeFileSync(join(entry, 'auxblob'), options.auxiliary);
    const opened = new TsmFolder(entry, options);
    opened.#serving = opened.#serve(opened.#closing.signal);
    return opened;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#serving;
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const inblob = await open(join(this.entry, 'inblob'), constants.O_RDONLY | constants.O_NONBLOCK);
    while (!signal.aborted) {
      const reportData = await this.#written(inblob, signal);
      if (!reportData) break;
      await this.#bumpGeneration();
      const report = await this.options.sign(reportData);
      const outblob = await this.#reader(signal);
      await outblob?.writeFile(report);
      await outblob?.close();
    }
    await inblob.close();
  }

  async #written(inblob: FileHandle, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const bytes = Buffer.alloc(REPORT_DATA_BYTES);
    for (let have = 0; !signal.aborted;) {
      const { bytesRead } = await inblob
        .read(bytes, have, bytes.length - have, null)
        .catch(notYet({ bytesRead: 0 }));
      have += bytesRead;
      if (have === bytes.length) return new Uint8Array(bytes);
      if (bytesRead === 0) await sleep(POLL_MS);
    }
    return undefined;
  }

  /** Undefined when nobody has come to read before the end. */
  async #reader(signal: AbortSignal): Promise<FileHandle | undefined> {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK;
    while (!signal.aborted) {
      const outblob = await open(join(this.entry, 'outblob'), flags).catch(notYet(undefined));
      if (outblob) return outblob;
      await sleep(POLL_MS);
    }
    return undefined;
  }

  async #bumpGeneration(): Promise<void> {
    const file = join(this.entry, 'generation');
    const generation = Number((await readFile(file)).toString()) + 1 + (this.options.interlopers ?? 0);
    await writeFile(file, `${generation}\n`);
  }
}

const notYet =
  <T>(otherwise: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (!NOT_YET.includes(error.code ?? '')) throw error;
    return otherwise;
  };

/** As a host hands them on. */
export function certificateTable(certificates: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const entries = Object.entries(certificates);
  const header = Buffer.alloc(24 * (entries.length + 1));
  let offset = header.length;
  for (const [index, [guid, certificate]] of entries.entries()) {
    header.write(guid.replaceAll('-', ''), 24 * index, 'hex');
    header.writeUInt32LE(offset, 24 * index + 16);
    header.writeUInt32LE(certificate.length, 24 * index + 20);
    offset += certificate.length;
  }
  return new Uint8Array(Buffer.concat([header, ...entries.map(([, certificate]) => certificate)]));
}

export const VCEK_GUID = '63da758d-e664-4564-adc5-f4b93be8accd';
export const ASK_GUID = '4ab7b379-bbac-4fe4-a02f-05aef327c782';
