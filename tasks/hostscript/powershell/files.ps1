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
  $old = "$to.longshore-old"
  $stamp = [IO.Path]::Combine([IO.Path]::GetDirectoryName($to), ".$([IO.Path]::GetFileName($to)).longshore")
  if ([IO.File]::Exists($to) -or ([IO.Directory]::Exists($to) -and (-not [IO.File]::Exists($stamp)) -and (@([IO.Directory]::GetFileSystemEntries($to)).Count -gt 0))) {
    Add-Line "$to is there and was not put there by a deployment: remove it, or choose another folder"
    return 1
  }
  # An earlier try ended between the two renames.
  if ((-not [IO.Directory]::Exists($to)) -and [IO.Directory]::Exists($old)) { Move-Folder $old $to }
  foreach ($left in @("$to.longshore-new", $old)) { Remove-Folder $left }
  [void][IO.Directory]::CreateDirectory("$to.longshore-new")
  try { & $fill "$to.longshore-new" } catch {
    Remove-Folder "$to.longshore-new"
    throw
  }
  [IO.File]::WriteAllText($stamp, '')
  if ([IO.Directory]::Exists($to)) { Move-Folder $to $old }
  try { Move-Folder "$to.longshore-new" $to } catch {
    # Better what was there than nothing.
    if ([IO.Directory]::Exists($old)) { Move-Folder $old $to }
    throw
  }
  try { Remove-Folder $old } catch { Add-Line "$old could not be removed yet: $(ConvertTo-Line $_.Exception.Message)" }
  0
}

# A scanner that has a file in a folder open keeps Windows from renaming the folder, for a moment.
function Move-Folder([string]$from, [string]$to) {
  for ($try = 1; ; $try++) {
    try {
      [IO.Directory]::Move($from, $to)
      return
    } catch [IO.IOException] { if ($try -ge 50) { throw } }
    Start-Sleep -Milliseconds 200
  }
}

# .NET takes a junction inside away and then calls that an error, so it is tried again; no link is left then for the look at
# read-only files to follow.
function Remove-Folder([string]$path) {
  for ($try = 1; [IO.Directory]::Exists($path); $try++) {
    try { [IO.Directory]::Delete($path, $true) } catch {
      if ($try -ge 15) { throw }
      if ($try -gt 1) {
        foreach ($file in [IO.Directory]::GetFiles($path, '*', 'AllDirectories')) {
          try { [IO.File]::SetAttributes($file, 'Normal') } catch { [void]$_ }
        }
      }
      Start-Sleep -Milliseconds 200
    }
  }
}

function Expand-Zip([string]$archive, [string]$folder) {
  Add-Type -AssemblyName System.IO.Compression.FileSystem
  # With the backslash, no framework takes a folder that begins like this one for this one.
  [IO.Compression.ZipFile]::ExtractToDirectory($archive, "$folder\")
}
