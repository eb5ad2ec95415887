import { setTimeout as wait } from "node:timers/promises";
import { DynamicTool } from "@langchain/core/tools";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { reportProgress, withAgent } from "session-progress";

// No node, tool or subgraph below has a session id in its signature: `reportProgress` finds the session of
// the request that invoked the graph, however many run at once.

/** A tool, as a model would call it. Here without a model, a key or a network. */
const search = new DynamicTool({
  name: "search",
  description: "Searches the library.",
  func: async (query: string) => {
    reportProgress({ message: `Searching for ${query}` });
    await wait(Math.random() * 5);
    return `facts about ${query}`;
  },
});

const State = Annotation.Root({
  topic: Annotation<string>,
  // Two nodes write here in the same step.
  facts: Annotation<string[]>({ reducer: (before, more) => [...before, ...more], default: () => [] }),
  text: Annotation<string>,
});
type State = typeof State.State;

/** A node that asks the tool, as an agent of its own. */
function researcher(agent: string, aspect: string) {
  return ({ topic }: State) =>
    withAgent(agent, async () => {
      reportProgress({ message: `Looking into the ${aspect} of ${topic}`, phase: "think" });
      const found = await search.invoke(`the ${aspect} of ${topic}`);
      reportProgress({ message: `Found ${found}`, phase: "result" });
      return { facts: [found] };
    });
}

const review = new StateGraph(State)
  .addNode("critique", async ({ topic }) => {
    await wait(Math.random() * 5);
    reportProgress({ agent: "reviewer", message: `Checking the text on ${topic}`, progress: 1, total: 2 });
    return {};
  })
  .addNode("revise", ({ text, topic }) => {
    reportProgress({ agent: "reviewer", message: `Polished the text on ${topic}`, progress: 2, total: 2 });
    return { text: `${text}.` };
  })
  .addEdge(START, "critique")
  .addEdge("critique", "revise")
  .addEdge("revise", END)
  .compile();

export const graph = new StateGraph(State)
  .addNode("history", researcher("historian", "past"))
  .addNode("outlook", researcher("futurist", "future"))
  .addNode("write", ({ facts, topic }) => {
    reportProgress({ agent: "writer", message: `Writing about ${topic}` });
    return { text: [...facts].sort().join(" and ") };
  })
  .addNode("review", review)
  .addEdge(START, "history")
  .addEdge(START, "outlook")
  .addEdge(["history", "outlook"], "write")
  .addEdge("write", "review")
  .addEdge("review", END)
  .compile();
