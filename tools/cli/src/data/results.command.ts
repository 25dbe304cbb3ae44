import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClearFile } from '@astro/content/job-key';
import type { OperatorApi } from '@astro/node-agent/cli/operator-api';
import { string } from '@oclif/core/args';
import { string as flag } from '@oclif/core/flags';
import { z } from 'zod';
import { AstroCommand } from '../astro-command.js';
import { apiOf, gatewayFlags } from './gateway-flags.js';
import { readKeyFile } from './key-file.js';

const job = z.object({
  tasks: z.array(
    z.object({
      id: z.string(),
      status: z.string(),
      digest: z.string().optional(),
      outputs: z.array(
        z.object({ name: z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/), cid: z.string() }),
      ),
    }),
  ),
});
type Task = z.output<typeof job>['tasks'][number];

export default class DataResults extends AstroCommand {
  static override summary =
    'Fetch the outputs of an encrypted job, decrypt them, and see that they are what nodes agreed on';
  static override description =
    'Each task has a folder of its id. Nodes agree on what they computed, and the platform cannot look into what one ' +
    'of them has stored of it: this command does, and ends as failed where that is something else.';
  static override args = {
    job: string({ required: true }),
    folder: string({ required: true, description: 'where the outputs are written; only you may read them' }),
  };
  static override flags = {
    ...gatewayFlags,
    key: flag({ helpValue: 'FILE', required: true, description: 'the key of the job' }),
    'output-key': flag({
      helpValue: 'FILE',
      description: 'the key that outputs are for, where it is another',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(DataResults);
    const api = await apiOf(flags);
    const { JobKey } = await import('@astro/content/job-key');
    const identity = await readKeyFile(flags.key);
    const key = new JobKey(identity);
    const reader = flags['output-key'] === undefined ? identity : await readKeyFile(flags['output-key']);
    const { tasks } = await api.get(`/v1/jobs/${args.job}`, job);
    const results: { taskId: string; files: string[]; isAsAgreed: boolean }[] = [];
    for (const task of tasks.filter(({ status }) => status === 'succeeded')) {
      const files = await clearOutputs(api, task, reader);
      await keep(join(args.folder, task.id), files);
      const isAsAgreed = key.resultDigest(task.id, 'none', files) === task.digest;
      results.push({ taskId: task.id, files: files.map(({ name }) => name), isAsAgreed });
      this.log(`${task.id}   ${isAsAgreed ? 'as agreed' : 'NOT what the nodes agreed on'}`);
    }
    this.failsUnless(results.every(({ isAsAgreed }) => isAsAgreed));
    return { results };
  }
}

async function clearOutputs(
  api: OperatorApi,
  { outputs }: Task,
  reader: string,
): Promise<readonly ClearFile[]> {
  const { decryptWith } = await import('@astro/content/age');
  const files: ClearFile[] = [];
  for (const { name, cid } of outputs)
    files.push({ name, bytes: await decryptWith([reader], await api.bytes(`/v1/content/${cid}`)) });
  return files;
}

async function keep(folder: string, files: readonly ClearFile[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const { name, bytes } of files) await writeFile(join(folder, name), bytes, { mode: 0o600 });
}
