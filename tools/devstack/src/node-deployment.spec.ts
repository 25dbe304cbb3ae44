import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { repositoryRoot } from './repository.js';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const INSTALLED = '/opt/astro/';

/** `[section, key, value]` of each line that says something. */
function linesOf(unit: string): readonly (readonly [section: string, key: string, value: string])[] {
  let section = '';
  return unit.split('\n').flatMap(line => {
    const head = /^\[(\w+)\]$/.exec(line)?.[1];
    if (head !== undefined) section = head;
    if (head !== undefined || line === '' || line.startsWith('#')) return [];
    const [, key, value] = /^(\w+)=(.+)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) throw new Error(`the unit has the line "${line}"`);
    return [[section, key, value] as const];
  });
}

describe('the systemd unit of a node', () => {
  const unit = read('deploy/node-agent/astro-node.service');
  const valueOf = (key: string) => linesOf(unit).find(([, name]) => name === key)?.[2] ?? '';

  test('starts what is in the repository, with the file that `astro node init` writes', () => {
    const words = valueOf('ExecStart').split(' ');
    const programs = words.filter(word => word.startsWith(INSTALLED));
    expect(programs).toHaveLength(2);
    for (const path of programs)
      expect(existsSync(join(repositoryRoot, path.slice(INSTALLED.length)))).toBe(true);
    expect(words.slice(2)).toEqual(['--config', '/etc/astro/node.env']);
    expect([valueOf('ConfigurationDirectory'), valueOf('StateDirectory')]).toEqual(['astro', 'astro-node']);
  });

  test('is one that systemd understands, where there is one to ask', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'astro-unit-'));
    try {
      const path = join(folder, 'astro-node.service');
      // The paths are those of an installation: here only the rest can be asked.
      writeFileSync(path, unit.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'));
      const args = ['verify', '--man=no', path];
      const complaints = await new Promise<string>((resolve, reject) =>
        execFile('systemd-analyze', args, (error, _stdout, stderr) => {
          if (error?.code === 'ENOENT') resolve('');
          else if (error) reject(new Error(stderr));
          else resolve(stderr);
        }),
      );
      expect(complaints).not.toContain('astro-node.service');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the image of a node', () => {
  const instructions = read('deploy/node-agent/Containerfile')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => /^([A-Z]+) (.+)$/.exec(line) ?? [line, 'unreadable', ''])
    .map(([, name, rest]) => [name!, rest!] as const);
  const last = (name: string) => instructions.findLast(([instruction]) => instruction === name)?.[1] ?? '';

  test('is made of instructions that builders know', () => {
    const known = [
      'FROM',
      'WORKDIR',
      'COPY',
      'RUN',
      'VOLUME',
      'USER',
      'ENV',
      'STOPSIGNAL',
      'HEALTHCHECK',
      'ENTRYPOINT',
    ];
    expect(instructions.filter(([name]) => !known.includes(name))).toEqual([]);
  });

  test('is of the Node version that the repository pins, in both stages', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } };
    const bases = instructions.filter(([name]) => name === 'FROM').map(([, rest]) => rest.split(' ')[0]);
    const base = `node:${dependencies.node}-bookworm-slim`;
    expect(bases).toEqual([base, base]);
  });

  test('runs the agent with its file, and not as root', () => {
    const [program, entry] = JSON.parse(last('ENTRYPOINT')) as string[];
    expect([program, existsSync(join(repositoryRoot, entry!))]).toEqual(['node', true]);
    expect(last('ENV')).toContain('AGENT_CONFIG=/state/node.env');
    expect(last('USER')).toBe('node');
  });
});
