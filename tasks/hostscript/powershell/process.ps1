# Who is alive, and how to end them. A process is known by its number and the moment of its start.

function Get-StartOf($process) {
  try { $process.StartTime.ToFileTimeUtc() } catch { [long]0 }
}

function Test-Alive([int]$number, [long]$start) {
  $process = Get-Process -Id $number -ErrorAction SilentlyContinue
  ($null -ne $process) -and ((Get-StartOf $process) -eq $start)
}

# WMI tells starts in microseconds, .NET in tenths of them.
function Test-Same([long]$one, [long]$other) { [Math]::Abs($one - $other) -lt 20000 }

# The living among $known (number to start) and what descends from them. It is put there, so that the children of one that is
# gone by the next look are still found. Windows gives numbers out again: a child began after its parent, and before whatever
# has its parent's number now.
function Get-Tree([hashtable]$known) {
  $all = @(Get-CimInstance Win32_Process -Property @('ProcessId', 'ParentProcessId', 'CreationDate') |
      Where-Object { $null -ne $_.CreationDate } | ForEach-Object {
        @{ number = [int]$_.ProcessId; parent = [int]$_.ParentProcessId; start = $_.CreationDate.ToFileTimeUtc() }
      })
  $holder = @{}
  foreach ($each in $all) { $holder[$each.number] = $each.start }
  $living = @{}
  do {
    $before = $living.Count
    foreach ($each in $all) {
      if ($living.ContainsKey($each.number)) { continue }
      $ours = $known.ContainsKey($each.number) -and (Test-Same $known[$each.number] $each.start)
      if ((-not $ours) -and $known.ContainsKey($each.parent)) {
        $born = $known[$each.parent]
        $ours = $each.start -ge ($born - 20000)
        if ($holder.ContainsKey($each.parent) -and (-not (Test-Same $holder[$each.parent] $born))) {
          $ours = $ours -and ($each.start -lt $holder[$each.parent])
        }
      }
      if ($ours) {
        $living[$each.number] = $true
        $known[$each.number] = $each.start
      }
    }
  } while ($living.Count -gt $before)
  @($living.Keys)
}

# Ends a process and its tree, the root first, so that it begins nothing more; gives the numbers that are still there after
# $seconds.
function Stop-Tree([int]$number, [long]$start, [double]$seconds) {
  # Without its start nothing tells it from another that has its number by now.
  if ($start -eq 0) { return @() }
  $known = @{}
  $known[$number] = $start
  $watch = [Diagnostics.Stopwatch]::StartNew()
  while ($true) {
    try { $left = @(Get-Tree $known) } catch {
      # WMI may be out of reach once the login's profile is unloaded: at least the root goes.
      if (Test-Alive $number $start) { Stop-Process -Id $number -Force -ErrorAction SilentlyContinue }
      throw
    }
    if (($left.Count -eq 0) -or ($watch.Elapsed.TotalSeconds -ge $seconds)) { return $left }
    foreach ($each in @($left | Sort-Object { $_ -ne $number })) {
      Stop-Process -Id $each -Force -ErrorAction SilentlyContinue
    }
    Start-Sleep -Milliseconds 100
  }
}
