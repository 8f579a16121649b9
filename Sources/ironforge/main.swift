import Commands
import Glibc

let exitCode = runIronforge(Array(CommandLine.arguments.dropFirst()))
#if DEBUG
  exit(exitCode)
#else
  // Everything is written and closed by now. Exit handlers of the libraries that libpq brings along would only take
  // a one-shot command's time; debug builds run them, because coverage and sanitizers report there.
  _exit(exitCode)
#endif
