internal import CHiredis

/// The version of hiredis that the program was built with, such as `0.14.1`.
public var libraryVersion: String { "\(HIREDIS_MAJOR).\(HIREDIS_MINOR).\(HIREDIS_PATCH)" }
