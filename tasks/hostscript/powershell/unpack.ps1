# Action unpack: a zip archive into a folder.

function Invoke-Unpack($fields) {
  $archive = Resolve-Place (Join-Parts $fields.archive)
  if (-not [IO.File]::Exists($archive)) {
    Add-Line "there is no archive $archive"
    return 1
  }
  Switch-Folder (Resolve-Place (Join-Parts $fields.to)) { param($folder) Expand-Zip $archive $folder }
}
