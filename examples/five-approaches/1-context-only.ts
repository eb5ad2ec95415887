// Approach 1, context only: the sink itself travels in the context.
// Choose it when whoever starts the run is also the one who watches it: a command line, a job, a test, one
// HTTP request that streams its own answer. No ids and no bus; nobody else can join, or come back.
import { createReporter } from "session-progress";
import { createTranscript } from "./transcript.ts";
import { writeReport } from "./workflow.ts";

const transcript = createTranscript();

const reporter = createReporter(transcript.add);
await reporter.run(() => writeReport("tea"));
await reporter.end();

transcript.check();
