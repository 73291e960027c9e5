// Package clickuptest is ClickUp's API as far as an import needs it: a stateful server for tests, benchmarks and demos.
//
// What it holds follows from a seed. Tasks and comments are made when they are asked for, so a million of them cost no
// memory; only what was changed is kept. Troubles, limits and changes while an import runs are methods of [Server].
//
// Where ClickUp does not document what it does, one reading is chosen, and an option gives the other one where that
// matters to a reader:
//
//   - Lists of tasks come newest first, oldest first with reverse=true ([Options.OldestFirst] turns both around).
//   - archived=true gives what is archived alone; otherwise only what is not. The tasks of an archived list, folder or space
//     are still found through their list.
//   - A task of several lists is left out, unless include_timl, by the lists that are not its home.
//   - date_updated_gt and its like are strict.
//   - A comment changes its task's date_updated ([Options.QuietComments]: it does not), and so does everything a user edits.
//     A change of a list, folder or space changes no task.
//   - Deleting a task deletes its subtasks. Deleting a list, folder or space deletes what is in it, and sends the one
//     webhook of the container. Deleting a comment sends none, and documents have none.
//   - An object that was deleted is 404; one that never was, or that belongs to a Workspace which the token does not
//     reach, is 401 OAUTH_027, as is reported of ClickUp. Neither says that the token is bad.
//   - An unknown path is 404 with an HTML page.
package clickuptest
