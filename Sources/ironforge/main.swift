import Commands
import Glibc

exit(await runIronforge(Array(CommandLine.arguments.dropFirst())))
