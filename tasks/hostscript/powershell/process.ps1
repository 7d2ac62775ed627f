# Who is alive, and how to end them. A process is known by its number and the moment of its start.

function Get-StartOf($process) {
  try { $process.StartTime.ToFileTimeUtc() } catch { [long]0 }
}

function Test-Alive([int]$number, [long]$start) {
  $process = Get-Process -Id $number -ErrorAction SilentlyContinue
  ($null -ne $process) -and ((Get-StartOf $process) -eq $start)
}

# Numbers of the processes that process $number, begun at $start, has made, and of those that they have made; itself too
# while it lives.
function Get-Tree([int]$number, [long]$start) {
  $all = @(Get-CimInstance Win32_Process -Property @('ProcessId', 'ParentProcessId', 'CreationDate'))
  $found = @{}
  if (Test-Alive $number $start) { $found[$number] = $true }
  $parents = @($number)
  while ($parents.Count -gt 0) {
    $children = @($all | Where-Object {
        ($parents -contains [int]$_.ParentProcessId) -and (-not $found.ContainsKey([int]$_.ProcessId)) -and
        ($null -ne $_.CreationDate) -and ($_.CreationDate.ToFileTimeUtc() -ge $start) -and ([int]$_.ProcessId -ne $number)
      } | ForEach-Object { [int]$_.ProcessId })
    foreach ($child in $children) { $found[$child] = $true }
    $parents = $children
  }
  @($found.Keys)
}

# Ends that tree, the root first, so that it begins nothing more; gives the numbers that are still there after $seconds.
function Stop-Tree([int]$number, [long]$start, [double]$seconds) {
  $watch = [Diagnostics.Stopwatch]::StartNew()
  do {
    $left = @(Get-Tree $number $start)
    if ($left.Count -eq 0) { return @() }
    foreach ($each in @($left | Sort-Object { $_ -ne $number })) {
      Stop-Process -Id $each -Force -ErrorAction SilentlyContinue
    }
    Start-Sleep -Milliseconds 100
  } while ($watch.Elapsed.TotalSeconds -lt $seconds)
  @(Get-Tree $number $start)
}
