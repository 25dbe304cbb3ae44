import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from './places.mjs';

const lockPath = join(cacheFolder, 'bootstrap.lock');
const waitLimitMs = 600_000;

/** Runs `work` while no other bootstrap of this working copy does; waits for one that is at it, ten minutes at most. */
export async function exclusively(work) {
  mkdirSync(cacheFolder, { recursive: true });
  const draft = `${lockPath}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    await acquire(draft);
  } finally {
    rmSync(draft, { force: true });
  }
  const release = () => rmSync(lockPath, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    release();
    process.off('exit', release);
  }
}

async function acquire(draft) {
  const deadline = Date.now() + waitLimitMs;
  let told = false;
  while (!tryLink(draft)) {
    const holder = holderPid();
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(lockPath, { force: true });
      continue;
    }
    if (!told && holder !== undefined)
      console.error(`waiting for the set-up that process ${holder} is doing`);
    told = true;
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${lockPath}`);
    await sleep(200);
  }
}

/** A hard link appears with its content or not at all, so that nobody ever reads an empty lock. */
function tryLink(draft) {
  try {
    linkSync(draft, lockPath);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function holderPid() {
  try {
    return Number(readFileSync(lockPath, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
