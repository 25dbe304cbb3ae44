import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bubblewrapBinary } from '@astro/devstack/bubblewrap';
import { startContainerEngine } from '@astro/devstack/container-engine';
import { reasonOf } from '@astro/jetstream/log';
import type { Program } from '@astro/messages/scheduling';
import { ContainerRuntime } from '../container/container-runtime.js';
import { serveShellImage } from '../container/registry.fixture.js';
import { ProcessRuntime } from '../process/process-runtime.js';
import { compileProgram } from '../sandbox/assembly-script.fixture.js';
import type { TaskRuntime } from './task-runtime.js';
import { WasmRuntime } from './wasm-runtime.js';

/** The same program for a shell and in AssemblyScript. */
export type Source = { readonly sh: string; readonly wasm: string };

export type Ready = {
  readonly bytes: Uint8Array;
  readonly args: readonly string[];
  readonly program: Pick<Program, 'cid' | 'runtime' | 'image'>;
};

export type Subject = {
  readonly title: string;
  readonly runtime: TaskRuntime;
  /** Stands for a folder that only the agent may enter, with a secret in it. */
  readonly stateDir: string;
  readonly ready: (source: Source, args?: readonly string[]) => Promise<Ready>;
  close(): Promise<void>;
};
export type Missing = { readonly title: string; readonly reason: string };

/** Every runtime of this machine, ready to be tried; of the others, why they are not there. */
export async function subjectsHere(): Promise<{ subjects: readonly Subject[]; missing: readonly Missing[] }> {
  const subjects: Subject[] = [];
  const missing: Missing[] = [];
  for (const [title, make] of Object.entries({
    wasm,
    'process, limited together': together,
    'process, limited each': each,
    container,
  })) {
    const stateDir = await mkdtemp(join(tmpdir(), 'astro-secret-'));
    await writeFile(join(stateDir, 'identity.json'), 'secret');
    try {
      const made = await make(stateDir);
      const found = await made.runtime.available();
      const close = async () => {
        await made.runtime.close();
        await made.close?.();
        await rm(stateDir, { recursive: true });
      };
      if (found.isAvailable) subjects.push({ ...made, title, stateDir, close });
      else {
        missing.push({ title, reason: found.reason });
        await close();
      }
    } catch (error) {
      missing.push({ title, reason: reasonOf(error) });
      await rm(stateDir, { recursive: true, force: true });
    }
  }
  return { subjects, missing };
}

type Made = Pick<Subject, 'runtime' | 'ready'> & { readonly close?: () => Promise<void> };

const wasm = (): Promise<Made> =>
  Promise.resolve({
    runtime: new WasmRuntime(),
    ready: async (source, args = []) => ({
      bytes: await compileProgram(source.wasm),
      args,
      program: { cid: '' },
    }),
  });

const together = (stateDir: string) => processes(stateDir, 'together', 2_000_000_000);
const each = (stateDir: string) => processes(stateDir, 'each', 2_000_001_000);

async function processes(stateDir: string, limits: 'together' | 'each', firstUserId: number): Promise<Made> {
  const bubblewrap = await bubblewrapBinary();
  const ground = { rootFolder: undefined, networkNamespace: undefined, firstUserId };
  return {
    runtime: new ProcessRuntime({ bubblewrap, stateDir, limits, ...ground }),
    ready: ({ sh }, args = []) =>
      Promise.resolve({
        bytes: new TextEncoder().encode(`#!/bin/sh\n${sh}\n`),
        args,
        program: { cid: '', runtime: 'process' },
      }),
  };
}

const deviceIds = [undefined, 'GPU-00000000-0000-0000-0000-000000000000'];

async function container(stateDir: string): Promise<Made> {
  const engine = await startContainerEngine();
  const registry = await serveShellImage(engine.busybox);
  return {
    runtime: new ContainerRuntime({ engine: engine.socket, stateDir, network: undefined, deviceIds }),
    ready: ({ sh }, args = []) =>
      Promise.resolve({
        bytes: new Uint8Array(),
        // After the script comes its own name, as for a file.
        args: [sh, '/program', ...args],
        program: { cid: '', runtime: 'container', image: registry.image },
      }),
    close: async () => {
      await registry.close();
      await engine.stop();
    },
  };
}
