/**
 * Learns from one lesson and ends. A linear program blocks its thread while it is solved, which therefore is not the
 * one that places. Imports packages alone, so that Node can load this file from the sources as well as from the build.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { learnPlacementValues } from '@astro/matching/policy/learning/placement-values';
import { loadLinearSolver } from '@astro/solver/highs';
import type { Lesson } from '../pool/learning/lesson.js';
import type { Learned } from './learning-thread.loop.js';

/** The same lesson gives the same values. */
const SEED = 1;

const lesson = workerData as Lesson;
const values = learnPlacementValues(await loadLinearSolver(), lesson.fleet, lesson.arrivals, SEED);
// Both in one message, so that the demands of the values are those of the lesson on the other side too.
const learned: Learned = { lesson, values };
parentPort!.postMessage(learned);
