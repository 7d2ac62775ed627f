# Action link: a directory junction, made beside and moved into place. Between the removal of the old one and that move there
# is none for a moment: Windows has no rename over a junction.

function Invoke-Link($fields) {
  $link = (Resolve-Place (Join-Parts $fields.link)).TrimEnd('\')
  $to = Resolve-Place (Join-Parts $fields.to)
  if (-not [IO.Directory]::Exists($to)) {
    Add-Line "there is no folder $to"
    return 1
  }
  if ([IO.File]::Exists($link) -or ([IO.Directory]::Exists($link) -and (-not (Test-Junction $link)))) {
    Add-Line "$link is there and is no link: move it away first"
    return 1
  }
  [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($link))
  $new = "$link.longshore-new"
  if ([IO.Directory]::Exists($new)) { [IO.Directory]::Delete($new) }
  [void](New-Item -ItemType Junction -Path $new -Value $to)
  # Not recursive: of a junction this removes the junction alone.
  if ([IO.Directory]::Exists($link)) { [IO.Directory]::Delete($link) }
  [IO.Directory]::Move($new, $link)
  0
}

function Test-Junction([string]$path) {
  ([IO.File]::GetAttributes($path) -band [IO.FileAttributes]::ReparsePoint) -ne 0
}
