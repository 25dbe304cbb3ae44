import { readFile } from 'node:fs/promises';

export type PhillyJob = {
  readonly submitSeconds: number;
  readonly durationSeconds: number;
  readonly gpus: number;
  /** The virtual cluster: who submitted it. */
  readonly tenantId: string;
};

/** October and November 2017, in seconds since the trace began: the window of the published baselines. */
export const publishedWindow: Window = { fromSeconds: 2_294_959, toSeconds: 7_565_359 };

/** From the first second on, up to but without the last. */
export type Window = { readonly fromSeconds: number; readonly toSeconds: number };

const HEADER = 'submit_s,duration_s,num_gpus,vc';
const GPUS_MAX = 4_096;
const SECONDS_MAX = 10 ** 9;
const JOBS_MAX = 1_000_000;

/**
 * The jobs of a file laid out like `philly_jobs.csv`, in the order of their submission.
 *
 * @throws RangeError that names the file, the line, the column and the rule of the first bad value
 */
export async function readPhillyTrace(file: string): Promise<readonly PhillyJob[]> {
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const [header, ...rows] = lines;
  if (header !== HEADER) throw new RangeError(`${file}:1: the header must be ${HEADER}`);
  if (rows.length > JOBS_MAX) throw new RangeError(`${file}: at most ${JOBS_MAX} jobs, not ${rows.length}`);
  const jobs = rows.map((row, index) => parse(row, `${file}:${index + 2}`));
  return jobs.sort((a, b) => a.submitSeconds - b.submitSeconds);
}

export const within = (
  jobs: readonly PhillyJob[],
  { fromSeconds, toSeconds }: Window,
): readonly PhillyJob[] =>
  jobs.filter(({ submitSeconds }) => submitSeconds >= fromSeconds && submitSeconds < toSeconds);

function parse(row: string, where: string): PhillyJob {
  const values = row.split(',');
  if (values.length !== 4) throw new RangeError(`${where}: 4 columns, not ${values.length}`);
  const [submit, duration, gpus, tenantId = ''] = values;
  if (tenantId === '' || tenantId.length > 64) throw new RangeError(`${where}: vc: 1 to 64 characters`);
  return {
    submitSeconds: whole(submit, 0, SECONDS_MAX, `${where}: submit_s`),
    durationSeconds: whole(duration, 0, SECONDS_MAX, `${where}: duration_s`),
    gpus: whole(gpus, 1, GPUS_MAX, `${where}: num_gpus`),
    tenantId,
  };
}

function whole(text: string | undefined, min: number, max: number, where: string): number {
  const value = text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new RangeError(`${where}: a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}
