export { checkProgress } from "./check-progress.ts";
export { collect } from "./collect.ts";
export { createRecorder, recordSession } from "./recorder.ts";

export type { Recorder, RecorderOptions, Recording } from "./recorder.ts";
