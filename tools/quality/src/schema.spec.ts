import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const jobEvents = 'astro/scheduling/v1/job_events.proto';

describe('the released schema', () => {
  let folder: string;
  let original: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'astro-schema-'));
    cpSync(join(root, 'proto'), folder, { recursive: true });
    original = readFileSync(join(folder, jobEvents), 'utf8');
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const breaking = (changed: string) => {
    writeFileSync(join(folder, jobEvents), changed);
    const command = [
      join(root, 'node_modules/@bufbuild/buf/bin/buf'),
      'breaking',
      '--against',
      'released.binpb',
    ];
    const { status, stdout } = spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' });
    return { kept: status === 0, stdout };
  };

  test('is kept by the schema as it stands', () => {
    expect(breaking(original)).toEqual({ kept: true, stdout: '' });
  });

  test('is kept by a new event', () => {
    expect(breaking(`${original}\nmessage JobRenamed {\n  string name = 1;\n}\n`).kept).toBe(true);
  });

  test('is broken by an event that is gone', () => {
    const { kept, stdout } = breaking(original.replace(/message JobCancelled \{[^}]*\}/, ''));
    expect(kept).toBe(false);
    expect(stdout).toContain('JobCancelled');
  });

  test('is broken by a field that changes its type', () => {
    const { kept, stdout } = breaking(original.replace('string job_id = 1;', 'bytes job_id = 1;'));
    expect(kept).toBe(false);
    expect(stdout).toContain('job_id');
  });
});
