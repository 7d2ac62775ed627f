# What actions that write files share: beside the target first, checked, then moved.

# A name beside $path for a new file; folders on the way are made, and what an earlier try left is removed.
function New-Beside([string]$path) {
  $folder = [IO.Path]::GetDirectoryName($path)
  [void][IO.Directory]::CreateDirectory($folder)
  foreach ($left in [IO.Directory]::GetFiles($folder, [IO.Path]::GetFileName($path) + '.longshore-*')) { [IO.File]::Delete($left) }
  "$path.longshore-$PID"
}

# Puts the file $part into the place $path, if it has this checksum.
function Move-IntoPlace([string]$part, [string]$path, [string]$sha256) {
  $found = Get-Sha256 $part
  if ($found -ne $sha256) {
    [IO.File]::Delete($part)
    Set-Cause 'checksum' "${path}: expected $sha256, got $found"
    return 1
  }
  if ([IO.Directory]::Exists($path)) {
    [IO.File]::Delete($part)
    Add-Line "$path is a folder; give the path of the file"
    return 1
  }
  # Replace is one act of the file system, and takes an existing target only.
  if ([IO.File]::Exists($path)) { [IO.File]::Replace($part, $path, [NullString]::Value) } else { [IO.File]::Move($part, $path) }
  0
}

# Fills a new folder beside $to with the block that is given, and puts it into its place: two renames, between which there
# is none. A folder that is there is replaced only if it is empty or came from here: the file .NAME.longshore says so.
function Switch-Folder([string]$to, [ScriptBlock]$fill) {
  $to = $to.TrimEnd('\')
  $stamp = [IO.Path]::Combine([IO.Path]::GetDirectoryName($to), ".$([IO.Path]::GetFileName($to)).longshore")
  if ([IO.File]::Exists($to) -or ([IO.Directory]::Exists($to) -and (-not [IO.File]::Exists($stamp)) -and (@([IO.Directory]::GetFileSystemEntries($to)).Count -gt 0))) {
    Add-Line "$to is there and was not put there by a deployment: remove it, or choose another folder"
    return 1
  }
  foreach ($left in @("$to.longshore-new", "$to.longshore-old")) {
    if ([IO.Directory]::Exists($left)) { [IO.Directory]::Delete($left, $true) }
  }
  [void][IO.Directory]::CreateDirectory("$to.longshore-new")
  try { & $fill "$to.longshore-new" } catch {
    [IO.Directory]::Delete("$to.longshore-new", $true)
    throw
  }
  [IO.File]::WriteAllText($stamp, '')
  if ([IO.Directory]::Exists($to)) { [IO.Directory]::Move($to, "$to.longshore-old") }
  [IO.Directory]::Move("$to.longshore-new", $to)
  if ([IO.Directory]::Exists("$to.longshore-old")) { [IO.Directory]::Delete("$to.longshore-old", $true) }
  0
}

function Expand-Zip([string]$archive, [string]$folder) {
  Add-Type -AssemblyName System.IO.Compression.FileSystem
  [IO.Compression.ZipFile]::ExtractToDirectory($archive, $folder)
}
