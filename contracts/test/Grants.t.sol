// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Grants, Milestone, MilestoneStatus} from "../src/Grants.sol";
import {Treasury} from "../src/Treasury.sol";
import {Protocol} from "./support/Protocol.sol";

contract GrantsTest is Protocol {
    address private grantee = actor("grantee");

    function test_aMilestoneIsDeliveredApprovedAndPaid() public {
        uint256 id = _grant();
        vm.prank(grantee);
        grants.deliver(id, 0, "evidence");
        vm.expectRevert(
            abi.encodeWithSelector(Grants.WrongStatus.selector, id, 0, MilestoneStatus.Delivered)
        );
        grants.pay(id, 0);
        vm.prank(reviewer);
        grants.approve(id, 0);
        grants.pay(id, 0);
        vm.assertEq(token.balanceOf(grantee), 100 ether, "paid");
        vm.assertEq(grants.committed(), 200 ether, "still promised");
        vm.expectRevert(abi.encodeWithSelector(Grants.WrongStatus.selector, id, 0, MilestoneStatus.Paid));
        grants.pay(id, 0);
    }

    function test_aRejectedMilestoneCanBeDeliveredAgain() public {
        uint256 id = _grant();
        vm.prank(grantee);
        grants.deliver(id, 0, "draft");
        vm.prank(reviewer);
        grants.reject(id, 0, "not yet");
        vm.prank(grantee);
        grants.deliver(id, 0, "final");
        (,, Milestone[] memory milestones) = grants.grantOf(id);
        vm.assertTrue(milestones[0].evidence == "final", "evidence");
    }

    function test_clawingBackTakesWhatIsNotApproved() public {
        uint256 id = _grant();
        vm.prank(grantee);
        grants.deliver(id, 0, "evidence");
        vm.prank(reviewer);
        grants.approve(id, 0);
        uint256 before = token.balanceOf(address(treasury));
        asTimelock(address(grants), abi.encodeCall(Grants.clawBack, (id)));
        vm.assertEq(token.balanceOf(address(treasury)), before + 200 ether, "the rest");
        grants.pay(id, 0);
        vm.assertEq(token.balanceOf(grantee), 100 ether, "what was approved is paid");
        vm.prank(grantee);
        vm.expectRevert(abi.encodeWithSelector(Grants.NotRunning.selector, id));
        grants.deliver(id, 1, "evidence");
        vm.prank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(Grants.NotRunning.selector, id));
        grants.clawBack(id);
    }

    function test_wrongGrantsAreRefused() public {
        vm.startPrank(address(timelock));
        vm.expectRevert(abi.encodeWithSelector(Grants.InvalidGrant.selector, grantee, 0));
        grants.grant(grantee, new uint256[](0), "purpose");
        vm.expectRevert(abi.encodeWithSelector(Grants.InvalidGrant.selector, grantee, 51));
        grants.grant(grantee, new uint256[](51), "purpose");
        vm.expectRevert(abi.encodeWithSelector(Grants.InvalidGrant.selector, grantee, 1));
        grants.grant(grantee, new uint256[](1), "purpose");
        vm.expectRevert(abi.encodeWithSelector(Grants.InvalidGrant.selector, address(0), 2));
        grants.grant(address(0), _amounts(), "purpose");
        vm.expectRevert(abi.encodeWithSelector(Grants.Unfunded.selector, 300 ether, 0));
        grants.grant(grantee, _amounts(), "purpose");
        vm.stopPrank();
    }

    function test_onlyTheGranteeDeliversAndOnlyKnownMilestones() public {
        uint256 id = _grant();
        vm.expectRevert(abi.encodeWithSelector(Grants.NotGrantee.selector, id, address(this)));
        grants.deliver(id, 0, "evidence");
        vm.prank(grantee);
        vm.expectRevert(abi.encodeWithSelector(Grants.UnknownMilestone.selector, id, 2));
        grants.deliver(id, 2, "evidence");
        vm.assertEq(grants.count(), 1, "count");
    }

    function testFuzz_rolesAreNeeded(address caller) public {
        vm.assume(caller != reviewer && caller != address(timelock));
        vm.startPrank(caller);
        vm.expectRevert(_unauthorized(caller, grants.REVIEWER_ROLE()));
        grants.approve(0, 0);
        vm.expectRevert(_unauthorized(caller, grants.REVIEWER_ROLE()));
        grants.reject(0, 0, "no");
        vm.expectRevert(_unauthorized(caller, 0));
        grants.grant(caller, new uint256[](1), "purpose");
        vm.expectRevert(_unauthorized(caller, 0));
        grants.clawBack(0);
        vm.expectRevert(_unauthorized(caller, 0));
        treasury.pay(token, caller, 1, "mine");
        vm.stopPrank();
    }

    function test_theTreasuryPaysSomebody() public {
        vm.prank(address(timelock));
        vm.expectRevert(Treasury.NoRecipient.selector);
        treasury.pay(token, address(0), 1, "nobody");
    }

    function _unauthorized(address caller, bytes32 role) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role);
    }

    function _amounts() private pure returns (uint256[] memory amounts) {
        amounts = new uint256[](2);
        (amounts[0], amounts[1]) = (100 ether, 200 ether);
    }

    function _grant() private returns (uint256 id) {
        asTimelock(
            address(treasury), abi.encodeCall(Treasury.pay, (token, address(grants), 300 ether, bytes32("grant")))
        );
        bytes memory result =
            asTimelock(address(grants), abi.encodeCall(Grants.grant, (grantee, _amounts(), bytes32("purpose"))));
        return abi.decode(result, (uint256));
    }
}
