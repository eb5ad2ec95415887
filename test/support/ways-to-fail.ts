/** The two ways in which a function of a user fails with an `Error` of this message, for `test.each`. */
export function waysToFail(message: string): [how: string, fail: () => Promise<never>][] {
  return [
    [
      "throws",
      () => {
        throw new Error(message);
      },
    ],
    ["rejects", () => Promise.reject(new Error(message))],
  ];
}
