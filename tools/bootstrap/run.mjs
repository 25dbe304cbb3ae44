// Entry of every npm script: brings the working copy to where the command can run, then runs it on the pinned Node.
// Nothing is imported before the version check, so that an old Node gets a sentence and not a syntax error.
const [major] = process.versions.node.split('.').map(Number);
if (major < 20) {
  console.error(`Astro needs Node 20 or later to set itself up; this is Node ${process.versions.node}.`);
  process.exit(1);
}
import('./bootstrap.mjs').then(({ bootstrap }) => bootstrap(process.argv[2], process.argv.slice(3)));
