import Glibc
import HTTPLoad
import Serve

let arguments = Array(CommandLine.arguments.dropFirst())
exit(arguments.first == "bench" ? runHTTPLoad(arguments) : runServe(arguments))
