import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

/** Counts of one Jest run, from the file that its --outputFile names. A suite that could not run is one failure. */
export async function readCounts(path) {
  const results = JSON.parse(await readFile(path, 'utf8'));
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
  };
}

/** The counts and suites of several runs as those of one; nothing when one of them left no results. */
export async function writeTogether(paths, path) {
  const runs = [];
  for (const each of paths) {
    const text = await readFile(each, 'utf8').catch(() => undefined);
    if (text === undefined) return;
    runs.push(JSON.parse(text));
  }
  const sum = name => runs.reduce((total, run) => total + run[name], 0);
  const together = {
    numPassedTests: sum('numPassedTests'),
    numFailedTests: sum('numFailedTests'),
    numRuntimeErrorTestSuites: sum('numRuntimeErrorTestSuites'),
    testResults: runs.flatMap(({ testResults }) => testResults),
  };
  await writeFile(path, JSON.stringify(together));
}

export const closingLine = ({ passed, failed }) => `${passed} passed, ${failed} failed`;

/** As a program: the closing line of a results file, with as many further failures as the second argument says. */
if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , path, furtherFailures = '0'] = process.argv;
  const counts = await readCounts(path);
  console.log(closingLine({ ...counts, failed: counts.failed + Number(furtherFailures) }));
}
