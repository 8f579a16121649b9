import Commands
import Glibc

exit(runIronforge(Array(CommandLine.arguments.dropFirst())))
