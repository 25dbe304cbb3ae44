// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Schedule, Vesting} from "../src/Vesting.sol";
import {Protocol} from "./support/Protocol.sol";

contract VestingTest is Protocol {
    uint256 private constant TEAM = 0;
    uint256 private constant INVESTOR = 1;

    function test_nothingBeforeTheCliff() public {
        vm.warp(GENESIS + 365 days - 1);
        vm.assertEq(vesting.vested(TEAM), 0, "vested");
        vm.expectRevert(abi.encodeWithSelector(Vesting.NothingToRelease.selector, TEAM));
        vesting.release(TEAM);
    }

    function test_atTheCliffAllSinceTheStart() public {
        vm.warp(GENESIS + 365 days);
        vm.assertEq(vesting.release(TEAM), 500_000_000 ether, "a quarter");
        vm.assertEq(token.balanceOf(team), 500_000_000 ether, "balance");
        vm.assertEq(vesting.released(TEAM), 500_000_000 ether, "released");
    }

    function testFuzz_releasesAreLinearAndNeverAboveTheSchedule(uint64 first, uint64 second) public {
        uint256 earlier = bound(first, 365 days, 5 * 365 days);
        uint256 later = bound(second, earlier, 6 * 365 days);
        vm.warp(GENESIS + earlier);
        uint256 released = vesting.release(TEAM);
        vm.warp(GENESIS + later);
        released += vesting.releasable(TEAM) > 0 ? vesting.release(TEAM) : 0;
        uint256 elapsed = later > 4 * 365 days ? 4 * 365 days : later;
        vm.assertEq(released, (2_000_000_000 ether * elapsed) / (4 * 365 days), "linear");
        vm.assertEq(token.balanceOf(team), released, "balance");
    }

    function test_revokingReturnsWhatHasNotVested() public {
        vm.warp(GENESIS + 2 * 365 days);
        asTimelock(address(vesting), abi.encodeCall(Vesting.revoke, (TEAM)));
        vm.assertEq(token.balanceOf(address(treasury)), TREASURY + 1_000_000_000 ether, "returned");
        vm.warp(GENESIS + 10 * 365 days);
        vm.assertEq(vesting.release(TEAM), 1_000_000_000 ether, "what had vested stays");
        vm.prank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotRevocable.selector, TEAM));
        vesting.revoke(TEAM);
    }

    function test_onlyWhatIsConfiguredCanBeRevokedAndOnlyByTheTimelock() public {
        vm.prank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotRevocable.selector, INVESTOR));
        vesting.revoke(INVESTOR);
        vm.prank(team);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, team, bytes32(0))
        );
        vesting.revoke(TEAM);
    }

    function test_beneficiariesMoveTheirSchedules() public {
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotBeneficiary.selector, TEAM, address(this)));
        vesting.changeBeneficiary(TEAM, address(this));
        vm.prank(team);
        vm.expectRevert(abi.encodeWithSelector(Vesting.NotBeneficiary.selector, TEAM, address(0)));
        vesting.changeBeneficiary(TEAM, address(0));
        vm.prank(team);
        vesting.changeBeneficiary(TEAM, reviewer);
        vm.warp(GENESIS + 4 * 365 days);
        vesting.release(TEAM);
        vm.assertEq(token.balanceOf(reviewer), 2_000_000_000 ether, "the new account");
    }

    function test_schedulesMustBeValidFundedAndKnown() public {
        Schedule[] memory schedules = new Schedule[](1);
        schedules[0] = Schedule(team, 1 ether, GENESIS, 2, 1, false);
        vm.expectRevert(abi.encodeWithSelector(Vesting.InvalidSchedule.selector, 0, schedules[0]));
        new Vesting(token, address(timelock), address(treasury), schedules);
        schedules[0] = Schedule(team, 1 ether, GENESIS, 1, 1, false);
        vm.expectRevert(abi.encodeWithSelector(Vesting.ScheduleMismatch.selector, 1 ether, 0));
        new Vesting(token, address(timelock), address(treasury), schedules);
        vm.expectRevert(abi.encodeWithSelector(Vesting.UnknownSchedule.selector, 2, 2));
        vesting.release(2);
        vm.assertEq(vesting.count(), 2, "count");
    }
}
