// Express 4 is installed under an alias. Its types are taken from Express 5: what tests use is the same.
declare module "express4" {
  export { default } from "express";
}
