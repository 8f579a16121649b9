import Glibc
import Serve

exit(runServe(Array(CommandLine.arguments.dropFirst())))
